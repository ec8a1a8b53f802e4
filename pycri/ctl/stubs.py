"""The CRI's methods as gRPC callables, made from the descriptor: no generated stubs.

v1alpha2 is the same wire under another package name, so that one set of messages serves both.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from pycri._generated import cri_pb2

V1: Final = "runtime.v1"
V1ALPHA2: Final = "runtime.v1alpha2"

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),  # the kubelet's own limit
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.default_authority", "localhost"),  # Go servers refuse the socket path that Python would send
    ("grpc.enable_http_proxy", 0),
)
METHODS: Final[dict[str, MethodDescriptor]] = {
    method.name: method
    for service in cri_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def bind(channel: Any, api: str, method: MethodDescriptor) -> Any:
    """The method on `channel`: grpc's unary-unary or unary-stream callable. `api` is V1 or V1ALPHA2."""
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    return make(
        f"/{api}.{method.containing_service.name}/{method.name}",
        request_serializer=message_factory.GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
