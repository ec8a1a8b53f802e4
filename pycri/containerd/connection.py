"""The gRPC channel to containerd: callables, headers, and the translation of errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from pycri import errors

Reply = TypeVar("Reply", bound=Message)

#: The lease that calls in this context hold what they create under; see ``leases.py``.
lease_id: ContextVar[str] = ContextVar("containerd_lease", default="")

_MIB = 1024 * 1024
_OPTIONS = (
    # Go's HTTP/2 server refuses the percent-encoded socket path that gRPC would send as authority.
    ("grpc.default_authority", "localhost"),
    # A list of a thousand containers carries their specs; the peer is trusted and bounds its own replies.
    ("grpc.max_receive_message_length", 64 * _MIB),
    ("grpc.max_send_message_length", 64 * _MIB),
    # containerd restarts in about a second; gRPC's defaults would leave us blind for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    # Despite its name: how long one attempt may take, to the server's first frame. A busy one needs its time.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
)

_ERRORS: dict[Any, type[errors.PycriError]] = {
    getattr(grpc.StatusCode, error.code): error
    for error in (
        errors.InvalidArgument,
        errors.NotFound,
        errors.AlreadyExists,
        errors.PermissionDenied,
        errors.ResourceExhausted,
        errors.FailedPrecondition,
        errors.Aborted,
        errors.OutOfRange,
        errors.Unimplemented,
        errors.Internal,
        errors.Unavailable,
        errors.DeadlineExceeded,
        errors.Unknown,
    )
}


class Connection:
    """One channel; callables are made on first use and kept."""

    def __init__(self, address: str, namespace: str) -> None:
        self.address = address
        self.namespace = namespace
        self._headers = (("containerd-namespace", namespace),)
        self._channel: Any = None
        self._callables: dict[str, Any] = {}

    async def unary(
        self, service: ServiceDescriptor, method: str, request: Message, reply: type[Reply]
    ) -> Reply:
        """Call a method that takes one message and returns one."""
        call = self._callable("unary_unary", service, method, reply)
        try:
            result: Reply = await call(request, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            raise self.translate(error) from None
        return result

    async def server_stream(
        self, service: ServiceDescriptor, method: str, request: Message, reply: type[Reply]
    ) -> AsyncIterator[Reply]:
        """Call a method that returns a stream; closing the iterator cancels the call."""
        call = self._callable("unary_stream", service, method, reply)(request, metadata=self._metadata())
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise self.translate(error) from None
        finally:
            call.cancel()

    def bidirectional(self, service: ServiceDescriptor, method: str, reply: type[Message]) -> Any:
        """Open a two-way stream: a ``grpc.aio.StreamStreamCall``, whose errors the caller translates."""
        return self._callable("stream_stream", service, method, reply)(metadata=self._metadata())

    def translate(self, error: Any) -> errors.PycriError:
        """containerd's status as the error of ``pycri.errors`` with the same code."""
        detail = error.details() or error.code().name.lower()
        if error.code() is grpc.StatusCode.UNAVAILABLE and "connect" in detail.lower():
            detail = f"containerd does not answer at {self.address} ({detail}); is containerd running?"
        return _ERRORS.get(error.code(), errors.Unknown)(detail)

    async def wait_ready(self, timeout: float) -> None:
        try:
            await asyncio.wait_for(self._open().channel_ready(), timeout)
        except asyncio.TimeoutError:
            raise errors.Unavailable(
                f"containerd did not answer at {self.address} within {timeout:g} s; is containerd running?"
            ) from None

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        self._callables.clear()
        if channel is not None:
            await channel.close()

    def _open(self) -> Any:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self.address}", options=_OPTIONS)
        return self._channel

    def _callable(self, kind: str, service: ServiceDescriptor, method: str, reply: type[Message]) -> Any:
        path = f"/{service.full_name}/{method}"
        made = self._callables.get(path)
        if made is None:
            described = service.methods_by_name[method]
            made = self._callables[path] = getattr(self._open(), kind)(
                path,
                request_serializer=_serialize,
                response_deserializer=reply.FromString,
            )
            if described.output_type.full_name != reply.DESCRIPTOR.full_name:
                raise TypeError(
                    f"{path} returns {described.output_type.full_name}, not {reply.DESCRIPTOR.full_name}"
                )
        return made

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        lease = lease_id.get()
        return (*self._headers, ("containerd-lease", lease)) if lease else self._headers


def _serialize(message: Message | bytes) -> bytes:
    """A message, or one that its caller has encoded."""
    return message if isinstance(message, bytes) else message.SerializeToString()
