"""A CRI endpoint in this process: answers from functions by method name, and nothing behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from google.protobuf import message_factory

from pycri._generated import cri_pb2

Answer = Callable[[Any], Any]


class Refused(Exception):
    """Raised by an answer: the call ends with this status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class FakeCri:
    """Serves `answers` under one API package; what has none is UNIMPLEMENTED. `calls` records the names."""

    def __init__(self, answers: Mapping[str, Answer], *, api: str = "runtime.v1") -> None:
        self.calls: list[str] = []
        self._directory = tempfile.TemporaryDirectory(prefix="nst-cri-")
        self.address = f"unix://{Path(self._directory.name) / 'cri.sock'}"
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        for service in cri_pb2.DESCRIPTOR.services_by_name.values():
            handlers = {
                method.name: self._handler(method, answers[method.name])
                for method in service.methods
                if method.name in answers
            }
            generic = grpc.method_handlers_generic_handler(f"{api}.{service.name}", handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._server.add_insecure_port(self.address)

    def __enter__(self) -> FakeCri:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()
        self._directory.cleanup()

    def _handler(self, method: Any, answer: Answer) -> Any:
        def handle(request: Any, context: Any) -> Any:
            self.calls.append(method.name)
            try:
                return answer(request)
            except Refused as refused:
                context.abort(refused.code, refused.details)

        codec = {
            "request_deserializer": message_factory.GetMessageClass(method.input_type).FromString,
            "response_serializer": message_factory.GetMessageClass(method.output_type).SerializeToString,
        }
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(handle, **codec)
        return grpc.unary_unary_rpc_method_handler(handle, **codec)


def version(_request: Any) -> Any:
    """What a healthy runtime says to Version."""
    return cri_pb2.VersionResponse(
        version="0.1.0", runtime_name="fake", runtime_version="1.0", runtime_api_version="v1"
    )


def status(*conditions: tuple[str, bool], **info: str) -> Answer:
    """A Status answer with these conditions."""

    def answer(_request: Any) -> Any:
        listed = [
            cri_pb2.RuntimeCondition(type=kind, status=met, reason="Reason", message="message")
            for kind, met in conditions
        ]
        return cri_pb2.StatusResponse(status=cri_pb2.RuntimeStatus(conditions=listed), info=info)

    return answer


READY = status(("RuntimeReady", True), ("NetworkReady", True))
