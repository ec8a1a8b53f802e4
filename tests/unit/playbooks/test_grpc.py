"""The readiness probe, against real gRPC servers and against what is none."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri._generated import cri_pb2
from tests.support import ansible_modules

METHOD = "/runtime.v1.RuntimeService/Version"


@pytest.fixture
def module() -> ModuleType:
    return ansible_modules.load_shared("nodestrap_grpc")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cri.sock"
    reply = cri_pb2.VersionResponse(version="0.1.0", runtime_name="pycri", runtime_api_version="v1")

    def version(_request: bytes, context: grpc.ServicerContext) -> bytes:
        return bytes(reply.SerializeToString())

    handlers = {"Version": grpc.unary_unary_rpc_method_handler(version)}
    running = grpc.server(ThreadPoolExecutor(1))
    running.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", handlers)]
    )
    running.add_insecure_port(f"unix:{path}")
    running.start()
    yield path
    running.stop(None).wait()


def wait(module: ModuleType, path: Path, timeout: int = 5) -> Any:
    """What the wait comes to. Raises RuntimeError with the message of its failure."""

    def fail(msg: str) -> None:
        raise RuntimeError(msg)

    host = SimpleNamespace(fail_json=fail, run_command=lambda argv: (0, f"said by {argv[0]}", ""))
    asked = {"socket": str(path), "method": METHOD, "unit": "no-such.service", "timeout": timeout}
    return module.wait(host, asked)


def test_a_server_that_answers_is_ready(module: ModuleType, server: Path) -> None:
    assert wait(module, server) == {"1": "0.1.0", "2": "pycri", "4": "v1"}


def test_an_error_status_is_not_ready(module: ModuleType, server: Path) -> None:
    with pytest.raises(module.NotReady, match="answered with an error"):
        module.call(str(server), "/runtime.v1.RuntimeService/NoSuchMethod", 5)


def test_no_socket_is_told_with_unit_and_journal(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failure:
        wait(module, tmp_path / "none", timeout=0)
    said = str(failure.value)
    assert f"{tmp_path}/none does not answer {METHOD} after 0 s" in said
    assert "No such file or directory" in said
    assert "no-such.service: said, by, systemctl\nsaid by journalctl" in said


def test_a_server_that_hangs_up_is_not_ready(module: ModuleType, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        with pytest.raises(module.NotReady):
            module.call(str(tmp_path / "s"), METHOD, 5)
        thread.join()


class Replay:
    """A connection that has already been answered."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        part, self.data = self.data[:size], self.data[size:]
        return part

    def sendall(self, data: bytes) -> None:
        pass


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_not_ready(data: bytes) -> None:
    module = ansible_modules.load_shared("nodestrap_grpc")
    with contextlib.suppress(module.NotReady):
        module.text_fields(module.answer(Replay(data)))


@given(st.dictionaries(st.integers(1, 4), st.text(max_size=20), max_size=4))
def test_text_fields_reads_what_protobuf_writes(values: dict[int, str]) -> None:
    module = ansible_modules.load_shared("nodestrap_grpc")
    names = {1: "version", 2: "runtime_name", 3: "runtime_version", 4: "runtime_api_version"}
    message = cri_pb2.VersionResponse(**{names[number]: value for number, value in values.items()})
    fields = module.text_fields(message.SerializeToString())
    assert fields == {str(number): value for number, value in values.items() if value}


def test_frames_have_the_layout_of_rfc_9113() -> None:
    module = ansible_modules.load_shared("nodestrap_grpc")
    assert module.frame(1, 4, 1, b"abc") == b"\0\0\x03" + b"\x01\x04" + struct.pack(">I", 1) + b"abc"
