"""A CRI client without generated stubs: ``client.runtime.Version(request)``, in v1, else in v1alpha2.

The callables are built from the descriptors of ``pycri._generated.cri_pb2``. v1alpha2 is the same wire under
another package name, so one set of messages serves both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from pycri._generated import cri_pb2
from pycri.ctl.stubs import OPTIONS, V1, V1ALPHA2, bind

_TIMEOUTS = {"RunPodSandbox": 60.0, "PullImage": 120.0, "StopPodSandbox": 60.0, "StopContainer": 60.0}
_TIMEOUT = 20.0
# An interrupt waits for it. Seen once, on a busy machine, with the CRI of containerd 1.6: the container was
# "starting" for good, and nothing could remove its pod.
_TO_ITS_END = "StartContainer"


class CriError(Exception):
    """A CRI call that ended in a gRPC status other than OK."""

    def __init__(self, method: str, code: str, details: str) -> None:
        super().__init__(f"{method}: {code}: {details}")
        self.method = method
        self.code = code
        self.details = details


class Cancelled(Exception):
    """The run was interrupted; raised out of the call under way."""


class CriClient:
    """One connection to a CRI endpoint. Threads may share it."""

    def __init__(self, target: str, *, api: str | None = None) -> None:
        """`target` is gRPC's address of the socket (``unix:///run/…``); `api` skips the negotiation."""
        self.target = target
        self._channel = grpc.insecure_channel(target, options=OPTIONS)
        self._calls = _Calls()
        self.api = api or V1
        self._bind()

    def negotiate(self) -> Any:
        """Call Version, in v1alpha2 when the endpoint does not know v1; returns its answer.

        Raises CriError.
        """
        request = cri_pb2.VersionRequest(version="v1")
        try:
            return self.runtime.Version(request, timeout=5.0)
        except CriError as error:
            if error.code != "UNIMPLEMENTED":
                raise
        self.api = V1ALPHA2
        self._bind()
        return self.runtime.Version(request, timeout=5.0)

    def cancel(self) -> None:
        """Cut short the calls under way, but for a container's start, and refuse new ones, outside of
        ``uninterrupted()``."""
        self._calls.cancel()

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled after ``cancel``."""
        self._calls.raise_if_cancelled()

    def uninterrupted(self) -> CriClient:
        """The same connection for cleaning up: ``cancel`` does not reach it."""
        twin = object.__new__(CriClient)
        twin.target, twin.api, twin._channel, twin._calls = self.target, self.api, self._channel, _Calls()
        twin._bind()
        return twin

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _bind(self) -> None:
        services = cri_pb2.DESCRIPTOR.services_by_name
        self.runtime = Service(services["RuntimeService"], self.api, self._channel, self._calls)
        self.image = Service(services["ImageService"], self.api, self._channel, self._calls)


class Service:
    """The methods of one gRPC service as attributes; each takes a request and an optional ``timeout`` (s)."""

    def __init__(self, service: ServiceDescriptor, api: str, channel: Any, calls: _Calls) -> None:
        self._methods = {
            method.name: _callable(bind(channel, api, method), method, calls) for method in service.methods
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._methods[name]
        except KeyError:
            raise AttributeError(f"the CRI has no method {name}") from None


class _Calls:
    """The calls under way, so that an interrupt can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[Any] = set()
        self._cancelled = False

    def add(self, call: Any) -> None:
        with self._lock:
            self._live.add(call)
            cancelled = self._cancelled
        if cancelled:
            call.cancel()

    def discard(self, call: Any) -> None:
        with self._lock:
            self._live.discard(call)

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            live = list(self._live)
        for call in live:
            call.cancel()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled("the run was interrupted")


def _callable(bound: Any, method: MethodDescriptor, calls: _Calls) -> Callable[..., Any]:
    default = _TIMEOUTS.get(method.name, _TIMEOUT)
    if method.server_streaming:

        def call_stream(request: Any, *, timeout: float = default) -> Iterator[Any]:
            calls.raise_if_cancelled()
            call = bound(request, timeout=timeout)
            calls.add(call)
            try:
                yield from call
            except grpc.RpcError as error:
                raise _translate(method.name, error, calls) from error
            finally:
                call.cancel()
                calls.discard(call)

        return call_stream

    def call_unary(request: Any, *, timeout: float = default) -> Any:
        calls.raise_if_cancelled()
        call = bound.future(request, timeout=timeout)
        if method.name != _TO_ITS_END:
            calls.add(call)
        try:
            return call.result()
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            raise _translate(method.name, error, calls) from error
        finally:
            calls.discard(call)

    return call_unary


def _translate(method: str, error: Any, calls: _Calls) -> Exception:
    if calls.cancelled:
        return Cancelled(f"{method} was interrupted")
    if isinstance(error, grpc.FutureCancelledError):
        return CriError(method, "CANCELLED", "the call was cancelled")
    return CriError(method, error.code().name, error.details() or "no details")
