"""paramiko against a real sshd: who gets in, who does not, and what is said about it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from installer.errors import ConnectError, HostKeyError, PrivilegeError
from installer.preflight.gather import gather
from installer.ssh.connection import Connection, connect
from installer.ssh.forward import forward_tcp, forward_unix_socket
from installer.ssh.openssh import write_config
from installer.ssh.settings import ConnectionSettings, connection_settings
from tests.support.sshd import PrivateSshd, make_key

pytestmark = pytest.mark.integration


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[PrivateSshd]:
    with PrivateSshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def _settings(sshd: PrivateSshd) -> ConnectionSettings:
    return connection_settings("host1", sshd.variables)


def _connect(settings: ConnectionSettings, known_hosts: Path) -> Connection:
    config = write_config(known_hosts.with_name("ssh_config"), known_hosts, pin_bastions=True)
    return connect("host1", settings, known_hosts, config)


def test_runs_a_command_with_its_input(sshd: PrivateSshd, known_hosts: Path) -> None:
    with _connect(_settings(sshd), known_hosts) as connection:
        result = connection.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"through\0")
    assert (result.status, result.stdout, result.stderr) == (3, b"through\0", b"oops\n")


def test_first_contact_pins_and_openssh_agrees(sshd: PrivateSshd, known_hosts: Path) -> None:
    with _connect(_settings(sshd), known_hosts) as connection:
        assert connection.newly_pinned is not None
    with _connect(_settings(sshd), known_hosts) as connection:
        assert connection.newly_pinned is None
    config = write_config(known_hosts.with_name("strict"), known_hosts, pin_bastions=False)
    ssh = [
        "ssh",
        "-F",
        str(config),
        "-i",
        str(sshd.key),
        "-p",
        str(sshd.port),
        f"{sshd.user}@127.0.0.1",
        "echo in",
    ]
    assert subprocess.run(ssh, capture_output=True, text=True, check=True).stdout == "in\n"


def test_changed_host_key_is_refused_until_the_fix_is_run(sshd: PrivateSshd, known_hosts: Path) -> None:
    _connect(_settings(sshd), known_hosts).close()
    sshd.stop()
    sshd.renew_host_key()
    sshd.start()
    with pytest.raises(HostKeyError, match="not the one pinned") as refused:
        _connect(_settings(sshd), known_hosts)
    assert refused.value.host == "host1"
    assert refused.value.exit_code == 3
    assert refused.value.fix is not None
    command = refused.value.fix.partition("rightful: ")[2].partition(", then")[0]
    subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    with _connect(_settings(sshd), known_hosts) as connection:
        assert connection.newly_pinned is not None


def test_wrong_key_names_user_and_key(sshd: PrivateSshd, known_hosts: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    settings = replace(_settings(sshd), private_key_file=tmp_path / "other")
    with pytest.raises(ConnectError, match=rf"does not let '{sshd.user}' in with .*/other") as refused:
        _connect(settings, known_hosts)
    assert "authorized_keys" in str(refused.value.fix)


def test_nothing_listening(sshd: PrivateSshd, known_hosts: Path) -> None:
    settings = _settings(sshd)
    sshd.stop()
    with pytest.raises(ConnectError, match="refuses connections"):
        _connect(settings, known_hosts)


def test_name_that_does_not_resolve(known_hosts: Path) -> None:
    with pytest.raises(ConnectError, match="does not resolve"):
        _connect(ConnectionSettings("no-such-host.invalid"), known_hosts)


def test_missing_and_open_private_keys(sshd: PrivateSshd, known_hosts: Path, tmp_path: Path) -> None:
    missing = replace(_settings(sshd), private_key_file=tmp_path / "absent")
    with pytest.raises(ConnectError, match="cannot be read"):
        _connect(missing, known_hosts)
    sshd.key.chmod(0o644)
    with pytest.raises(ConnectError, match="may be read by others") as refused:
        _connect(_settings(sshd), known_hosts)
    assert refused.value.fix == f"chmod 600 {sshd.key}"


@pytest.fixture
def agent(
    sshd: PrivateSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _no_agent: None
) -> Iterator[None]:
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()  # it has said where it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        subprocess.run(["ssh-add", "-q", str(sshd.key)], check=True, capture_output=True)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.mark.usefixtures("agent")
def test_agent_and_bastion(sshd: PrivateSshd, known_hosts: Path) -> None:
    """The bastion is reached by ssh itself, pinned in the same file, as Ansible will do."""
    jump = f"-o ProxyJump={sshd.user}@127.0.0.1:{sshd.port}"
    settings = ConnectionSettings("localhost", sshd.port, sshd.user, ssh_args=tuple(jump.split()))
    with _connect(settings, known_hosts) as connection:
        assert connection.run(["echo", "hop"]).stdout == b"hop\n"
    pinned = {line.split()[0] for line in known_hosts.read_text().splitlines()}
    assert pinned == {f"[127.0.0.1]:{sshd.port}", f"[localhost]:{sshd.port}"}


def test_broken_bastion_is_blamed(sshd: PrivateSshd, known_hosts: Path) -> None:
    settings = replace(_settings(sshd), ssh_args=("-o", "ProxyCommand=false"))
    with pytest.raises(ConnectError, match="bastion"):
        _connect(settings, known_hosts)


@pytest.fixture
def sudo_host(tmp_path: Path) -> Iterator[PrivateSshd]:
    """A host whose login is not root's (it says) and whose sudo wants the password ``secret``."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "sudo").write_text(
        "#!/bin/sh\n"
        'while [ "$1" != -- ]; do [ "$1" = -p ] && prompt=$2; shift; done; shift\n'
        'printf %s "$prompt" >&2; read -r password\n'
        '[ "$password" = secret ] || { printf "Sorry\\n%s" "$prompt" >&2; read -r password; exit 1; }\n'
        'exec "$@"\n'
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    with PrivateSshd(tmp_path / "sshd", environment={"PATH": f"{tools}:/usr/bin:/bin"}) as server:
        yield server


def test_sudo_gets_its_password_and_the_command_its_input(sudo_host: PrivateSshd, known_hosts: Path) -> None:
    settings = replace(_settings(sudo_host), become_password="secret")
    with _connect(settings, known_hosts) as connection:
        assert connection.run(["cat"], stdin=b"not a password").stdout == b"not a password"


@pytest.mark.parametrize(("password", "reason"), [(None, "none is set"), ("wrong", "refuses the password")])
def test_sudo_without_the_right_password(
    sudo_host: PrivateSshd, known_hosts: Path, password: str | None, reason: str
) -> None:
    settings = replace(_settings(sudo_host), become_password=password)
    with (
        _connect(settings, known_hosts) as connection,
        pytest.raises(PrivilegeError, match=reason) as refused,
    ):
        connection.run(["true"])
    assert "ansible_become_password" in str(refused.value.fix)


def test_facts_in_one_round_trip(sshd: PrivateSshd, known_hosts: Path) -> None:
    with _connect(_settings(sshd), known_hosts) as connection:
        session = gather(connection, None, lock=None)
        session.close()
    facts = session.facts
    assert facts.hostname == socket.gethostname()
    assert facts.uid == os.getuid()
    assert facts.listening[sshd.port] == "sshd"
    assert facts.clock_skew is not None
    assert abs(facts.clock_skew) < 5
    assert not facts.failed


def test_host_without_python_still_says_what_it_is(
    sshd: PrivateSshd, known_hosts: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("sh", "uname", "id", "printf", "cat"):
        (bare / tool).symlink_to(f"/bin/{tool}")
    with (
        PrivateSshd(tmp_path / "bare-sshd", environment={"PATH": str(bare)}) as server,
        _connect(_settings(server), known_hosts) as connection,
    ):
        session = gather(connection, None, lock=None)
        session.close()
    assert session.facts.python_path is None
    assert session.facts.machine == os.uname().machine
    assert session.facts.os_name != "an unknown system"


def _echo_server(listener: socket.socket) -> threading.Thread:
    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            while data := peer.recv(65536):
                peer.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def _talk(client: socket.socket, payload: bytes) -> bytes:
    client.settimeout(20)
    sender = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
    sender.start()
    answer = b"".join(iter(lambda: client.recv(65536), b""))
    sender.join()
    return answer


def test_unix_socket_is_forwarded_both_ways(sshd: PrivateSshd, known_hosts: Path, tmp_path: Path) -> None:
    payload = os.urandom(300_000)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "remote.sock"))
        listener.listen()
        server = _echo_server(listener)
        with (
            _connect(_settings(sshd), known_hosts) as connection,
            forward_unix_socket(connection, str(tmp_path / "remote.sock")) as path,
            socket.socket(socket.AF_UNIX) as client,
        ):
            client.connect(str(path))
            assert _talk(client, payload) == payload
        server.join()
    assert not path.exists()


def test_tcp_port_is_forwarded(sshd: PrivateSshd, known_hosts: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _echo_server(listener)
        with (
            _connect(_settings(sshd), known_hosts) as connection,
            forward_tcp(connection, "127.0.0.1", listener.getsockname()[1]) as port,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            assert _talk(client, b"there and back") == b"there and back"
        server.join()
