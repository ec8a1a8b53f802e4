"""Callables and handlers for the data-plane service, made from its descriptor.

``scripts/generate-protos`` writes messages only; method names, request and response classes come from the
descriptor at run time, so there is no second list of methods to keep in step.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from pycri._generated import io_pb2

SERVICE: ServiceDescriptor = io_pb2.DESCRIPTOR.services_by_name["DataPlane"]

# ExecSync answers with two streams of at most 16 MiB each.
MAX_MESSAGE_BYTES = 40 << 20


def server_handler(wrap: Callable[[str], Callable[..., Awaitable[Any]]]) -> grpc.GenericRpcHandler:
    """A handler for the whole service; ``wrap(name)`` gives the coroutine function for one method."""
    handlers = {}
    for method in SERVICE.methods:
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            wrap(snake_case(method.name)),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(SERVICE.full_name, handlers)


def client_callables(channel: grpc.aio.Channel) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Pairs of snake-case method name and awaitable callable on ``channel``."""
    for method in SERVICE.methods:
        yield snake_case(method.name), _callable(channel, method)


def _callable(channel: grpc.aio.Channel, method: MethodDescriptor) -> Callable[..., Any]:
    result: Callable[..., Any] = channel.unary_unary(
        f"/{SERVICE.full_name}/{method.name}",
        request_serializer=GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    return result


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
