"""One way to reach a host: paramiko here, Ansible's OpenSSH there, the same keys, bastions and
known_hosts."""
