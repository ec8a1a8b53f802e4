"""Every verb of ``pycri ctl`` on real containers: on pycri, and on containerd's own CRI like on any other."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from installer.lab.standard_images import BUSYBOX, PAUSE
from tests.support.containerd import ContainerdHost
from tests.support.ctl import Ctl
from tests.support.pycri import PycriHost, mirrored_registry

pytestmark = pytest.mark.integration

IDS = re.compile(r"[0-9a-f]{64}\n")


@dataclass(frozen=True)
class Node:
    """An endpoint, and a directory for the files of its pods."""

    runtime: str
    ctl: Ctl
    work: Path

    def file(self, name: str, content: object) -> str:
        path = self.work / name
        path.write_text(json.dumps(content))
        return str(path)

    def pod(self, name: str) -> str:
        """A pod's configuration."""
        labels = {"app": name, "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "shop"}
        return self.file(
            f"{name}-pod.json",
            {
                "metadata": {"name": name, "namespace": "shop"},
                "log_directory": str(self.work / name),
                "labels": labels,
                "linux": {},
            },
        )

    def container(self, name: str, *command: str, **fields: object) -> str:
        """A container's configuration."""
        labels = {"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "shop"}
        return self.file(
            f"{name}-container.json",
            {
                "metadata": {"name": f"{name}-c"},
                "image": {"image": BUSYBOX},
                "command": command,
                "log_path": "0.log",
                "labels": labels,
                "linux": {},
                **fields,
            },
        )

    def remove_everything(self) -> None:
        for pod in self.ctl.text("pods", "-q").split():
            self.ctl("stopp", pod)
            self.ctl("rmp", pod)


@pytest.fixture(scope="module", params=["pycri", "containerd"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    work = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as stack:
        own = request.param == "containerd"
        host = stack.enter_context(ContainerdHost(cri=own, sandbox_image=PAUSE if own else ""))
        stack.enter_context(mirrored_registry(host, work / "registry"))
        socket_path = host.address if own else stack.enter_context(PycriHost(host)).socket
        made = Node(request.param, Ctl(work, socket_path), work)
        stack.callback(made.remove_everything)
        made.ctl.text("pull", BUSYBOX)
        yield made


@pytest.fixture(scope="module")
def web(node: Node) -> str:
    """A container that serves /etc on port 8080, and says a word on each stream; its id."""
    script = "echo to out; echo $WORD >&2; httpd -p 8080 -h /etc; exec sleep 1000"
    envs = [{"key": "WORD", "value": "to err"}]
    config = node.container("web", "sh", "-c", script, envs=envs)
    printed = node.ctl.text("run", "--no-pull", config, node.pod("web"))
    assert IDS.fullmatch(printed)
    return printed.strip()


def test_the_runtime(node: Node) -> None:
    assert f"RuntimeName:  {node.runtime}\n" in node.ctl.text("version")
    info = json.loads(node.ctl.text("info"))
    assert {one["type"] for one in info["status"]["conditions"]} >= {"RuntimeReady", "NetworkReady"}
    assert set(json.loads(node.ctl.text("info", "-q"))) <= {"status", "runtimeHandlers", "features"}
    assert node.ctl.text("info", "-o", "yaml")
    done = node.ctl("runtime-config")
    if node.runtime == "pycri":
        assert json.loads(node.ctl.text("metricdescs"))["descriptors"]
    if node.runtime == "pycri" or not done.returncode:  # containerd has it since 2.0
        assert (done.stdout, done.stderr) == ("cgroup driver:   CGROUPFS\n", "")
    else:
        assert "RuntimeConfig: UNIMPLEMENTED" in done.stderr
    assert node.ctl.text("update-runtime-config", "-p", "10.9.0.0/24") == ""


def test_lists(node: Node, web: str) -> None:
    assert node.ctl.text("ps", "-q") == f"{web}\n"
    head, row = node.ctl.text("ps").splitlines()
    assert row.split()[:2] == [web[:13], BUSYBOX] or node.runtime == "containerd"
    assert row.split()[-2:] == ["web", "shop"]
    assert head.index("STATE") == row.index("Running")
    assert BUSYBOX in node.ctl.text("ps", "-r")
    assert node.ctl.text(
        "ps", "-q", "--image", BUSYBOX, "--name", "^web", "--label", "io.kubernetes.pod.name=web"
    )
    assert node.ctl.text("ps", "-q", "--state", "exited") == ""
    (listed,) = json.loads(node.ctl.text("ps", "-o", "json"))["containers"]
    assert (listed["id"], listed["state"]) == (web, "CONTAINER_RUNNING")
    pod = listed["podSandboxId"]
    assert node.ctl.text("pods", "-q", "--state", "ready", "--label", "app=web") == f"{pod}\n"
    assert node.ctl.text("pods").splitlines()[1].split()[-4:] == ["web", "shop", "0", "(default)"]
    assert node.ctl.text("ps", "-q", "--pod", pod) == f"{web}\n"
    assert "Namespace: shop\n" in node.ctl.text("ps", "-v")
    assert "State: Running" in node.ctl.text("ps", "-v")


def test_inspection(node: Node, web: str) -> None:
    found = json.loads(node.ctl.text("inspect", web))
    status = found["status"]
    assert (status["state"], status["finishedAt"]) == ("CONTAINER_RUNNING", "0001-01-01T00:00:00Z")
    assert status["startedAt"].startswith("20")
    assert found["info"]["pid"] > 1
    assert found["info"]["runtimeSpec"]["process"]["args"][0] == "sh"
    pod = found["info"]["sandboxID"]
    network = json.loads(node.ctl.text("inspectp", pod))["status"]["network"]["ip"]
    assert f"IP Addresses: {network}\n" in node.ctl.text("inspectp", "-q", "-o", "table", pod)
    assert "State: CONTAINER_RUNNING\n" in node.ctl.text("inspect", "-q", "-o", "table", "--name", "web")
    assert len(json.loads(node.ctl.text("inspect", "-q", web, web))) == 2
    image = json.loads(node.ctl.text("inspecti", "-q", BUSYBOX))["status"]["id"]
    assert f"Tag: {BUSYBOX}\n" in node.ctl.text("inspecti", "-o", "table", image)
    assert "NOT_FOUND" in node.ctl("inspect", "nothing").stderr
    assert json.loads(node.ctl.text("imagefsinfo"))["status"]["imageFilesystems"]
    assert "Image Filesystem" in node.ctl.text("imagefsinfo", "-o", "table")


def test_logs(node: Node, web: str) -> None:
    done = node.ctl("logs", web)
    assert (done.returncode, done.stdout, done.stderr) == (0, "to out\n", "to err\n")
    assert re.fullmatch(r"20\S+\.\d{9}\S+ to out\n", node.ctl("logs", "-t", web).stdout)
    assert node.ctl.text("logs", "--reopen", "--tail", "0", web) == ""


def test_a_followed_log_ends_with_its_container(node: Node) -> None:
    config = node.container("talker", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done")
    talker = node.ctl.text("run", "--no-pull", config, node.pod("talker")).strip()
    assert node.ctl.text("logs", "-f", talker) == "1\n2\n3\n"
    assert json.loads(node.ctl.text("inspect", "-q", talker))["status"]["state"] == "CONTAINER_EXITED"
    assert "Exit Code: 0\n" in node.ctl.text("inspect", "-o", "table", "-q", talker)


@pytest.mark.parametrize("sync", [(), ("--sync",)], ids=["streamed", "synchronous"])
def test_exec_keeps_streams_and_exit_codes(node: Node, web: str, sync: tuple[str, ...]) -> None:
    done = node.ctl("exec", *sync, web, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 7\n"
    assert node.ctl.text("exec", *sync, web, "echo", "-n", "--quiet") == "--quiet"
    assert node.ctl("exec", *sync, "nothing", "true").returncode == 1
    assert node.ctl.text("exec", *sync, "--name", "^web", "echo", "hi") == f"{web}:\nhi\n"
    assert (
        node.ctl.text("exec", *sync, "-q", "-x", "--label", "io.kubernetes.pod.name=web", "echo", "hi")
        == "hi\n"
    )


def test_exec_passes_standard_input_on(node: Node, web: str) -> None:
    data = os.urandom(3_000_000).hex().encode()
    done = subprocess.run(
        node.ctl.command("exec", "-i", web, "cat"), input=data, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == data
    assert node.ctl("exec", "-it", web, "true").stderr.endswith("needs a terminal as standard input\n")


class Terminal:
    """A command that has a terminal, seen from the other side of it."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.execv(command[0], command)
        self._seen = b""

    def size(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def write(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def until(self, wanted: bytes) -> None:
        """Read until it has said so, within 20 s."""
        deadline = time.monotonic() + 20
        while wanted not in self._seen:
            left = deadline - time.monotonic()
            assert left > 0, f"no {wanted!r} in {self._seen!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                self._seen += os.read(self._descriptor, 4096)
        self._seen = self._seen.partition(wanted)[2]

    def end(self) -> int:
        """The exit code; what it says until then is read, so that it does not wait for us."""
        with contextlib.suppress(OSError):
            while os.read(self._descriptor, 4096):
                pass
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_exec_with_a_terminal_and_its_size(node: Node, web: str) -> None:
    terminal = Terminal(node.ctl.command("exec", "-i", "-t", web, "sh"))
    terminal.until(b"# ")
    for lines, columns in ((31, 97), (52, 123)):
        terminal.size(lines, columns)
        # the size travels on a stream of its own: ask until it has arrived
        terminal.write(
            f"until stty size | grep '{lines} {columns}'; do :; done; echo it is $((40 + 2))\r".encode()
        )
        terminal.until(b"it is 42")
    terminal.write(b"exit 9\r")
    assert terminal.end() == 9


def test_attach_until_the_end_and_until_the_user_leaves(node: Node) -> None:
    script = "while read line; do echo got $line; done; echo bye"
    config = node.container("reader", "sh", "-c", script, stdin=True, stdin_once=True)
    reader = node.ctl.text("run", "--no-pull", config, node.pod("reader")).strip()
    done = node.ctl("attach", "-i", reader, stdin=b"one\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "got one\ngot two\nbye\n", "")
    config = node.container(
        "typist", "sh", "-c", "while :; do echo tick; sleep 0.1; done", stdin=True, tty=True
    )
    typist = node.ctl.text("run", "--no-pull", config, node.pod("typist")).strip()
    terminal = Terminal(node.ctl.command("attach", "-i", "-t", typist))
    terminal.until(b"tick")  # shown when our own terminal is raw
    terminal.write(b"\x10\x11")
    assert terminal.end() == 0
    assert typist in node.ctl.text("ps", "-q")


def test_port_forward(node: Node, web: str) -> None:
    pod = json.loads(node.ctl.text("inspect", web))["info"]["sandboxID"]
    node.ctl.text("exec", web, "sh", "-c", "head -c 2000000 /dev/zero > /etc/large")
    command = node.ctl.command("port-forward", pod, ":8080", ":9")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = {}
        while len(ports) < 2:
            found = re.fullmatch(
                r"Forwarding from (?:127.0.0.1|\[::1\]):(\d+) -> (\d+)\n", process.stdout.readline()
            )
            assert found
            ports[found[2]] = int(found[1])
        for path, size in (("passwd", None), ("large", 2_000_000)):
            body = _get(ports["8080"], path).partition(b"\r\n\r\n")[2]
            assert len(body) == size or body.startswith(b"root:")
        assert _get(ports["9"], "") == b""  # nobody listens there
        assert process.stderr is not None
        assert process.stderr.readline().startswith("error: ")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()


def _get(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)


def test_statistics(node: Node, web: str) -> None:
    rows = node.ctl.text("stats", web).splitlines()
    assert [row.split()[0] for row in rows] == ["CONTAINER", web[:13]]
    (stats,) = json.loads(node.ctl.text("stats", "-o", "json", web))["stats"]
    assert int(stats["memory"]["workingSetBytes"]["value"]) > 0
    if node.runtime == "pycri":  # containerd 1.6 knows less, and nothing of pods without a cgroup parent
        pod = json.loads(node.ctl.text("inspect", web))["info"]["sandboxID"]
        assert "web" in node.ctl.text("statsp", pod).splitlines()[1].split()
        assert json.loads(node.ctl.text("metricsp"))["podMetrics"]


def test_create_start_update_stop_and_remove(node: Node) -> None:
    pod_config = node.pod("steps")
    pod = node.ctl.text("runp", pod_config).strip()
    config = node.container("steps", "sh", "-c", "echo said; exec sleep 1000")
    made = node.ctl.text("create", "--with-pull", pod, config, pod_config).strip()
    assert node.ctl.text("ps", "-q", "--state", "created") == f"{made}\n"
    assert node.ctl.text("start", made) == f"{made}\n"
    assert node.ctl.text("update", "--memory", "100000000", "--cpu-share", "512", made) == f"{made}\n"
    assert "it is running" in node.ctl("rm", made).stderr
    assert node.ctl.text("stop", "-t", "1", made) == f"{made}\n"
    log = node.work / "steps" / "0.log"
    assert log.exists()
    assert node.ctl.text("rm", "--keep-logs", made) == f"{made}\n"
    assert log.exists()
    again = node.ctl.text("create", pod, config, pod_config).strip()
    node.ctl.text("start", again)
    assert node.ctl.text("rm", "--force", again) == f"{again}\n{again}\n"
    assert not log.exists()
    refused = node.ctl("checkpoint", "-e", str(node.work / "checkpoint.tar"), again)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert node.ctl.text("stopp", pod) == f"Stopped sandbox {pod}\n"
    assert node.ctl.text("rmp", pod) == f"Removed sandbox {pod}\n"


def test_images_go_with_all_their_tags(node: Node) -> None:
    other = "registry.k8s.io/e2e-test-images/second:1"
    node.ctl.text("pull", other)
    assert node.ctl.text("rmi", other) == f"Deleted: {other}\n"
    assert f"no such image '{other}'" in node.ctl("rmi", other).stderr
    node.ctl.text("pull", other)
    node.ctl.text("rmi", "--prune")
    assert other not in node.ctl.text("images", "-o", "json")
    assert node.ctl.text("images", "-q", BUSYBOX)


def test_events(node: Node) -> None:
    if node.runtime == "containerd" and "RuntimeVersion:  1.6" in node.ctl.text("version"):
        done = node.ctl("events")  # came with 1.7
        assert done.returncode == 1
        assert "GetContainerEvents: UNIMPLEMENTED" in done.stderr
        return
    pods: list[str] = []
    command = node.ctl.command("events")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        text, event = "", {"containerId": ""}
        deadline = time.monotonic() + 30
        while event["containerId"] not in pods:  # others are of the tests before, or of before we listened
            assert time.monotonic() < deadline, text
            if not select.select([process.stdout], [], [], 0.2)[0]:
                pods.append(node.ctl.text("runp", node.pod(f"eventful-{len(pods)}")).strip())
                continue
            text += os.read(process.stdout.fileno(), 1 << 16).decode()
            with contextlib.suppress(ValueError):  # not whole yet
                event, end = json.JSONDecoder().raw_decode(text)
                text = text[end:].lstrip()
        assert event["containerEventType"] in ("CONTAINER_CREATED_EVENT", "CONTAINER_STARTED_EVENT")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    for pod in pods:
        node.ctl.text("rmp", "--force", pod)
