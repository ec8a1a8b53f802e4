"""Generic gRPC handlers for a CRI service, made from its descriptor and a table of verbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pycri import errors
from pycri._generated import cri_pb2
from pycri.server import interceptors

# The two names of one wire format: kubelets before 1.23 speak only v1alpha2.
PACKAGES = ("runtime.v1", "runtime.v1alpha2")


def service_handlers(name: str, verbs: Mapping[str, Mapping[str, Any]]) -> list[grpc.GenericRpcHandler]:
    """Handlers of the service ``name`` under both packages; ``verbs`` is a table for each package.

    A verb takes the request and returns the response, as message or as its bytes; a streaming one yields.
    What the table lacks is answered with UNIMPLEMENTED; what it has too much is a TypeError.
    """
    service: ServiceDescriptor = cri_pb2.DESCRIPTOR.services_by_name[name]
    found = []
    for package in PACKAGES:
        table = verbs[package]
        unknown = table.keys() - service.methods_by_name.keys()
        if unknown:
            raise TypeError(f"{name} has no RPC {', '.join(sorted(unknown))}")
        handlers = {method.name: _handler(method, table.get(method.name)) for method in service.methods}
        found.append(grpc.method_handlers_generic_handler(f"{package}.{name}", handlers))
    return found


def _handler(method: Any, verb: Any) -> grpc.RpcMethodHandler:
    options = {
        "request_deserializer": GetMessageClass(method.input_type).FromString,
        "response_serializer": _serialize,
    }
    if verb is None:
        # the same for one answer and for a stream: the call ends before either
        return grpc.unary_unary_rpc_method_handler(
            interceptors.unary(method.name, _unimplemented(method.name)), **options
        )
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(interceptors.streaming(method.name, verb), **options)
    return grpc.unary_unary_rpc_method_handler(interceptors.unary(method.name, verb), **options)


def _unimplemented(name: str) -> interceptors.Verb:
    async def refuse(_: Message) -> Message:
        raise errors.Unimplemented(f"pycri does not serve {name} yet")

    return refuse


def _serialize(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
