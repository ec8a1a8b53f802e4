"""Ansible's own variables that make sense in an inventory of ssh hosts.

From ansible-core 2.18 and 2.19: the ``vars:`` of the ssh connection, the sh shell and the sudo become
plugins, and "Special Variables" in its documentation.
"""

from __future__ import annotations

from typing import Final

ANSIBLE_VARIABLES: Final = frozenset(
    """
    ansible_host ansible_port ansible_user ansible_password ansible_connection ansible_timeout
    ansible_ssh_host ansible_ssh_port ansible_ssh_user ansible_ssh_pass ansible_ssh_password
    ansible_private_key_file ansible_ssh_private_key_file ansible_ssh_private_key
    ansible_ssh_private_key_passphrase ansible_private_key_passphrase
    ansible_ssh_args ansible_ssh_common_args ansible_ssh_extra_args ansible_ssh_executable
    ansible_scp_extra_args ansible_sftp_extra_args ansible_scp_executable ansible_sftp_executable
    ansible_sftp_batch_mode ansible_ssh_transfer_method ansible_ssh_retries ansible_ssh_timeout
    ansible_ssh_use_tty ansible_ssh_pipelining ansible_pipelining ansible_host_key_checking
    ansible_ssh_host_key_checking ansible_control_path ansible_control_path_dir ansible_ssh_pkcs11_provider
    ansible_ssh_password_mechanism ansible_sshpass_prompt ansible_ssh_verbosity
    ansible_become ansible_become_method ansible_become_user ansible_become_password ansible_become_pass
    ansible_become_exe ansible_become_flags
    ansible_sudo_pass ansible_sudo_password ansible_sudo_user ansible_sudo_exe ansible_sudo_flags
    ansible_shell_type ansible_shell_executable ansible_executable ansible_remote_tmp ansible_async_dir
    ansible_system_tmpdirs ansible_common_remote_group ansible_python_interpreter ansible_group_priority
    """.split()  # noqa: SIM905 - a list literal of these is unreadable
)
