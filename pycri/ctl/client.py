"""The connection to a CRI endpoint: blocking calls, and errors that say which call failed at which socket."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import grpc

from pycri.ctl import stubs
from pycri.ctl.errors import CallError
from pycri.ctl.settings import Settings, load

# What a runtime may take for a call that does work, as the kubelet grants it (s). The configured timeout is
# meant for reaching the runtime; two seconds of it must not cut a pod's removal short.
_PATIENCE: Final = {
    "RunPodSandbox": 240.0,
    "StopPodSandbox": 120.0,
    "RemovePodSandbox": 120.0,
    "CreateContainer": 240.0,
    "StartContainer": 120.0,
    "RemoveContainer": 120.0,
    "RemoveImage": 120.0,
    "UpdateContainerResources": 120.0,
}


class Client:
    """Calls by name: ``client.call("Version", request)``. The first call reads settings and connects."""

    def __init__(self, options: Namespace) -> None:
        """From the global options."""
        self._options = options
        self._channels: dict[str, Any] = {}
        self._api = stubs.V1
        self._negotiated = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        for channel in self._channels.values():
            channel.close()

    @cached_property
    def settings(self) -> Settings:
        """Raises CtlError."""
        return load(self._options)

    def call(self, name: str, request: Any, *, timeout: float | None = None) -> Any:
        """One answer. `timeout` in seconds, 0: none; by default what the call may take. Raises CallError."""
        limit = self._limit(name) if timeout is None else timeout or None
        try:
            return self._bound(name)(request, timeout=limit)
        except grpc.RpcError as error:
            if self._older_api(error):
                return self.call(name, request, timeout=timeout)
            raise self._translated(name, error) from None

    def stream(self, name: str, request: Any) -> Iterator[Any]:
        """Answers as they come, without a time limit. Raises CallError."""
        call = self._bound(name)(request)
        try:
            yield from call
        except grpc.RpcError as error:
            if self._older_api(error):
                yield from self.stream(name, request)
                return
            raise self._translated(name, error) from None
        finally:
            call.cancel()

    def _limit(self, name: str) -> float:
        return max(self.settings.timeout, _PATIENCE.get(name, 0.0))

    def _endpoint(self, name: str) -> str:
        image = stubs.METHODS[name].containing_service.name == "ImageService"
        return self.settings.image_endpoint if image else self.settings.runtime_endpoint

    def _bound(self, name: str) -> Any:
        endpoint = self._endpoint(name)
        if endpoint not in self._channels:
            self._channels[endpoint] = grpc.insecure_channel(endpoint, options=stubs.OPTIONS)
        return stubs.bind(self._channels[endpoint], self._api, stubs.METHODS[name])

    def _older_api(self, error: Any) -> bool:
        """Whether the endpoint knows only v1alpha2; then that is spoken from here on."""
        if self._negotiated or error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            return False
        self._negotiated = True
        from pycri._generated import cri_pb2

        try:
            self._bound("Version")(cri_pb2.VersionRequest(version="v1"), timeout=self.settings.timeout)
        except grpc.RpcError as refusal:
            if refusal.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._api = stubs.V1ALPHA2
                return True
        return False

    def _translated(self, name: str, error: Any) -> CallError:
        code, details = error.code().name, error.details() or "no details"
        if code == "UNAVAILABLE" and "connect" in details:  # the runtime itself says it of a registry, too
            details = f"nothing answers at {self._endpoint(name)}; is the runtime up? {details}"
        elif code == "DEADLINE_EXCEEDED":
            details = f"no answer from {self._endpoint(name)} within {self._limit(name):g} s"
        return CallError(f"{name}: {code}: {details}", code)
