"""A CRI endpoint that gives the answers a test wrote down, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory

from pycri.ctl.stubs import METHODS, V1


@dataclass
class FakeCri:
    """`target` is its address; `asked` the requests in order, by method."""

    target: str
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def requests(self, name: str) -> list[Any]:
        return [request for method, request in self.asked if method == name]


@contextmanager
def fake_cri(directory: Path, answers: Mapping[str, Any], *, api: str = V1) -> Iterator[FakeCri]:
    """Serve `answers`: a message, a function of the request, or a gRPC status code to refuse with."""
    fake = FakeCri(f"unix://{directory}/cri.sock")
    server = grpc.server(ThreadPoolExecutor(4))
    services: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        method = METHODS[name]
        services.setdefault(method.containing_service.name, {})[name] = grpc.unary_unary_rpc_method_handler(
            _handler(fake, name, answer),
            request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
            response_serializer=message_factory.GetMessageClass(method.output_type).SerializeToString,
        )
    for service, handlers in services.items():
        generic = grpc.method_handlers_generic_handler(f"{api}.{service}", handlers)
        server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(fake.target)
    server.start()
    try:
        yield fake
    finally:
        server.stop(None).wait()


def _handler(fake: FakeCri, name: str, answer: Any) -> Callable[[Any, grpc.ServicerContext], Any]:
    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        fake.asked.append((name, request))
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, f"{name} is refused")
        return answer(request) if callable(answer) else answer

    return handle
