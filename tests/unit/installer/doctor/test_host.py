"""What runs on the host: on any Python from 3.6 on, all in one piece, and reading no secret."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

import installer.doctor.host
from installer.doctor import gather
from installer.doctor.host import cri, endpoints, files
from pycri._generated import cri_pb2
from tests.unit.installer.doctor.sick import certificate
from tests.unit.installer.verify.fake_cri import READY, FakeCri, version

_SOURCES = sorted(Path(installer.doctor.host.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: path.name)
def test_runs_on_python_3_6(path: Path) -> None:
    """By its grammar; the modules it imports are all older."""
    ast.parse(path.read_text(), feature_version=(3, 6))


def test_everything_that_it_imports_is_sent_along() -> None:
    """In a process that has nothing else, as on a host: no package of ours, no current directory."""
    source = gather.program()
    start = "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-ISc", start, str(len(source))],
        input=source + b"{}\n",
        capture_output=True,
        cwd="/",
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["time"] > 0
    assert answer["filesystems"]["/"]["size_bytes"] > 0
    # a machine without systemd has no units to tell of, and says so
    assert set(answer["failed"]) <= {"units"}


def test_of_a_kubeconfig_only_the_certificate_leaves_the_host(tmp_path: Path) -> None:
    pem = certificate()
    path = tmp_path / "admin.conf"
    path.write_text(
        f"users:\n- user:\n    client-certificate-data: {b64encode(pem.encode()).decode()}\n"
        "    client-key-data: c2VjcmV0\n    token: abcdef.0123456789abcdef\n"
    )
    assert files.certificates(str(path)) == [pem.strip()]
    assert not any("conf" in name and "kubernetes" in name for name in files.SETTINGS)


def test_a_cri_endpoint_is_read_without_a_library(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_text("2026-11-25T16:00:00.000000000Z stderr F panic: no space\n")

    def ended(request: cri_pb2.ContainerStatusRequest) -> cri_pb2.ContainerStatusResponse:
        assert request.container_id == "c2"
        status = cri_pb2.ContainerStatus(exit_code=2, log_path=str(log))
        return cri_pb2.ContainerStatusResponse(status=status)

    def containers(_request: cri_pb2.ListContainersRequest) -> cri_pb2.ListContainersResponse:
        labels = {"io.kubernetes.pod.name": "etcd-node1", "io.kubernetes.pod.namespace": "kube-system"}
        found = [
            cri_pb2.Container(
                id=f"c{attempt}",
                metadata=cri_pb2.ContainerMetadata(name="etcd", attempt=attempt),
                state=cri_pb2.CONTAINER_EXITED,
                created_at=attempt * 10**9,
                labels=labels,
            )
            for attempt in (1, 2)
        ]
        return cri_pb2.ListContainersResponse(containers=found)

    answers = {"ListContainers": containers, "ContainerStatus": ended}
    with FakeCri({"Version": version, "Status": READY, **answers}) as fake:
        answer = endpoints.ask(fake.address.removeprefix("unix://"))
    assert answer["conditions"]["RuntimeReady"][0] is True
    assert "config_error" in answer  # this one knows no RuntimeConfig
    (container,) = answer["containers"]  # the newest
    assert (container["name"], container["attempt"], container["pod"]) == ("etcd", 2, "etcd-node1")
    assert container["state"] == "exited"
    assert (container["exit_code"], container["log"]) == (2, ["panic: no space"])


def test_long_messages_and_numbers_survive_the_small_protobuf() -> None:
    text = "x" * 300
    message = cri.decode(cri.string(3, text) + bytes([5 << 3, 0x96, 0x01]))
    assert cri.text(message, 3) == text
    assert cri.number(message, 5) == 150
    assert cri.text(message, 4) == ""
    with pytest.raises(cri.CallError, match="no protobuf"):
        cri.decode(b"\xff\xff")


def test_a_socket_that_nobody_serves_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        assert endpoints.socket_state(str(path)) == "connection refused"
    assert endpoints.socket_state(str(tmp_path / "none")) == "missing"
    (tmp_path / "file").touch()
    assert endpoints.socket_state(str(tmp_path / "file")) == "no socket"
