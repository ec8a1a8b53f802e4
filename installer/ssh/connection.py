"""One authenticated connection to a host: run commands as root, reach its sockets and ports."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import paramiko

from installer.errors import ConnectError, PrivilegeError
from installer.ssh.become import privileged
from installer.ssh.known_hosts import PinOnFirstContact, changed_key, host_key_name
from installer.ssh.openssh import ResolvedHost, resolve
from installer.ssh.proxy import Proxy
from installer.ssh.settings import ConnectionSettings

CONNECT_TIMEOUT = 10.0  # seconds, for TCP, for the banner and for authentication each


@dataclass(frozen=True)
class CommandResult:
    status: int
    stdout: bytes
    stderr: bytes


class Connection:
    """An open SSH session. Use as a context manager, or close it."""

    def __init__(
        self,
        host: str,
        settings: ConnectionSettings,
        resolved: ResolvedHost,
        client: paramiko.SSHClient,
        proxy: Proxy | None = None,
    ) -> None:
        self.host = host
        self.resolved = resolved
        self.newly_pinned: str | None = None  # the host key's fingerprint, when this was the first contact
        self._settings = settings
        self._client = client
        self._proxy = proxy

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        if self._proxy is not None:
            self._proxy.close()

    @property
    def transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise ConnectError("the SSH connection is gone", host=self.host, fix="is the host still up?")
        return transport

    def run(self, argv: list[str], stdin: bytes = b"", timeout: float = 60.0) -> CommandResult:
        """Run a command as root and wait for it; ConnectError when it is silent for ``timeout`` seconds."""
        with self.open(argv, timeout) as channel:
            try:
                channel.sendall(stdin)
                channel.shutdown_write()
                stdout = b"".join(iter(lambda: channel.recv(65536), b""))
                stderr = b"".join(iter(lambda: channel.recv_stderr(65536), b""))
            except TimeoutError:
                raise ConnectError(f"`{argv[0]}` was silent for {timeout:.0f} s", host=self.host) from None
            status = channel.recv_exit_status()
        if status == -1:  # paramiko's word for "none was sent"
            raise ConnectError(f"the SSH connection broke during `{argv[0]}`", host=self.host)
        return CommandResult(status, stdout, stderr)

    def open(self, argv: list[str], timeout: float = 60.0) -> paramiko.Channel:
        """Start a command as root and return its channel: its stdin, stdout and stderr."""
        command = privileged(argv, become=self._settings.become)
        try:
            channel = self.transport.open_session(timeout=timeout)
            channel.settimeout(timeout)
            channel.exec_command(command.line)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectError(
                f"the SSH connection broke before `{argv[0]}`: {error or type(error).__name__}",
                host=self.host,
                fix="sshd lets us in and then ends the session: its journal on the host says why",
            ) from error
        try:
            self._await_start(channel, command.prompt, command.started)
        except TimeoutError:
            channel.close()
            raise ConnectError(
                f"no answer to `{argv[0]}` within {timeout:.0f} s", host=self.host, step="privileges"
            ) from None
        except ConnectError:
            channel.close()
            raise
        return channel

    def _await_start(self, channel: paramiko.Channel, prompt: bytes, started: bytes) -> None:
        said, answered = b"", False
        while started not in said:
            chunk = channel.recv_stderr(1)  # byte by byte: what follows the mark is the command's own
            if not chunk:
                raise _sudo_error(self.host, said.replace(prompt, b""), self._settings, answered)
            said += chunk
            if prompt in said and not answered:
                if self._settings.become_password is None:
                    raise _sudo_error(self.host, b"", self._settings, answered)
                channel.sendall(self._settings.become_password.encode() + b"\n")
                said, answered = b"", True
            elif prompt in said:
                raise _sudo_error(self.host, b"", self._settings, answered)


def connect(host: str, settings: ConnectionSettings, known_hosts_file: Path, config: Path) -> Connection:
    """Open a connection, or raise ConnectError (HostKeyError for a changed key) saying why and what to do."""
    resolved = resolve(host, settings, config)
    _check_private_key(host, settings)
    client = paramiko.SSHClient()
    policy = PinOnFirstContact(known_hosts_file)
    client.set_missing_host_key_policy(policy)
    if known_hosts_file.exists():
        client.load_system_host_keys(str(known_hosts_file))
    proxy = Proxy(_expand(resolved)) if resolved.proxy_command else None
    try:
        client.connect(
            resolved.known_as,
            resolved.known_port,
            username=resolved.user,
            password=settings.password,
            key_filename=[str(path) for path in resolved.identity_files] or None,  # type: ignore[arg-type]
            look_for_keys=False,
            allow_agent=resolved.agent and not resolved.identities_only,
            sock=proxy.socket if proxy else _dial(resolved),
            timeout=CONNECT_TIMEOUT,
            banner_timeout=CONNECT_TIMEOUT,
            auth_timeout=CONNECT_TIMEOUT,
        )
    except BaseException as error:
        client.close()
        complaint = proxy.complaint() if proxy else ""
        if proxy is not None:
            proxy.close()
        if isinstance(error, OSError | EOFError | paramiko.SSHException | ConnectError):
            raise _explain(host, error, settings, resolved, known_hosts_file, complaint) from error
        raise
    connection = Connection(host, settings, resolved, client, proxy)
    connection.newly_pinned = policy.pinned
    return connection


def _dial(resolved: ResolvedHost) -> socket.socket:
    return socket.create_connection((resolved.address, resolved.port), CONNECT_TIMEOUT)


def _expand(resolved: ResolvedHost) -> str:
    command = resolved.proxy_command or ""
    for token, value in (("%h", resolved.address), ("%p", str(resolved.port)), ("%r", resolved.user)):
        command = command.replace(token, value)
    return command


def _check_private_key(host: str, settings: ConnectionSettings) -> None:
    """Refuse what OpenSSH would refuse later: a key that is not there, or that others may read."""
    path = settings.private_key_file
    if path is None:
        return
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConnectError(
            f"the private key {path} cannot be read: {error.strerror}",
            host=host,
            step="connect",
            fix="correct ansible_ssh_private_key_file",
        ) from error
    if stat.S_IMODE(mode) & 0o077 and path.stat().st_uid == os.getuid():
        raise ConnectError(
            f"the private key {path} may be read by others, and ssh refuses such a key",
            host=host,
            step="connect",
            fix=f"chmod 600 {path}",
        )


def _explain(
    host: str,
    error: BaseException,
    settings: ConnectionSettings,
    resolved: ResolvedHost,
    known_hosts_file: Path,
    complaint: str,
) -> ConnectError:
    """Why a connection failed, in the user's terms."""
    where = f"{resolved.address} port {resolved.port}"
    if isinstance(error, paramiko.BadHostKeyException):
        error = changed_key(known_hosts_file, host_key_name(resolved.known_as, resolved.known_port))
    if isinstance(error, ConnectError):
        error.host = host
        return error
    if isinstance(error, paramiko.PasswordRequiredException):
        reason, fix = "the private key has a passphrase", "load it into ssh-agent: ssh-add KEY"
    elif isinstance(error, paramiko.AuthenticationException):
        reason, fix = _refused(settings, resolved, where)
    elif isinstance(error, socket.gaierror):
        reason, fix = f"the name {resolved.address!r} does not resolve", "correct ansible_host, or the DNS"
    elif isinstance(error, ConnectionRefusedError):
        reason = f"{where} refuses connections: nothing listens there"
        fix = "start sshd on the host, or correct ansible_port"
    elif isinstance(error, TimeoutError):
        reason = f"no answer from {where} within {CONNECT_TIMEOUT:.0f} s"
        fix = "is the host up, the address right, and the port open in every firewall between?"
    elif resolved.proxy_command:
        reason = f"the way through the bastion failed: {complaint or error or 'it closed the connection'}"
        fix = f"try it by hand: {resolved.proxy_command}"
    else:
        reason, fix = f"{where}: {error or type(error).__name__}", "try it by hand with ssh -v"
    return ConnectError(reason, host=host, step="connect", fix=fix)


def _refused(settings: ConnectionSettings, resolved: ResolvedHost, where: str) -> tuple[str, str]:
    offered = [str(path) for path in resolved.identity_files]
    if resolved.agent and not resolved.identities_only and os.environ.get("SSH_AUTH_SOCK"):
        offered.append("the ssh-agent's keys")
    if settings.password is not None:
        offered.append("a password")
    reason = f"{where} does not let {resolved.user!r} in with {', '.join(offered) or 'no key at all'}"
    return reason, (
        f"put the public key into ~{resolved.user}/.ssh/authorized_keys on the host, or correct ansible_user "
        "or ansible_ssh_private_key_file"
    )


def _sudo_error(host: str, said: bytes, settings: ConnectionSettings, answered: bool) -> PrivilegeError:
    text = said.decode(errors="replace").strip()
    if "not found" in text:
        reason, fix = "the login is not root's and there is no sudo", "install sudo, or set ansible_user=root"
    elif answered:
        reason, fix = "sudo refuses the password", "correct ansible_become_password (or --ask-become-pass)"
    elif settings.become_password is None and not text:
        reason = "sudo asks for a password and none is set"
        fix = "set ansible_become_password (with ansible-vault), or pass --ask-become-pass"
    else:
        reason, fix = f"cannot become root: {text}", "let the user run sudo"
    return PrivilegeError(reason, host=host, step="privileges", fix=fix)
