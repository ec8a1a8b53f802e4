"""What happens around every RPC: errors become gRPC statuses, calls are timed and logged."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from pycri import errors
from pycri.stats.instruments import RPC_SECONDS, RPCS

log = logging.getLogger(__name__)

# The kubelet asks these all the time; they are worth a line only when they fail or are slow.
_CHATTY = {"Version", "Status", "RuntimeConfig", "ExecSync", "ImageFsInfo"}
_CHATTY_ENDINGS = ("Status", "Stats", "Metrics", "Descriptors")
_SLOW_SECONDS = 1.0

Verb = Callable[[Any], Awaitable[Any]]
Stream = Callable[[Any], AsyncIterator[Any]]


def unary(name: str, verb: Verb) -> Callable[[Any, Any], Awaitable[Any]]:
    """A grpc.aio handler of ``verb``."""

    async def handle(request: Any, context: grpc.aio.ServicerContext) -> Any:
        begun = time.monotonic()
        try:
            response = await verb(request)
        except Exception as error:  # noqa: BLE001  # every error is answered, and the unexpected ones logged whole
            code, message = _translate(name, error)
            _log_failure(name, code, message, _count(name, code.name, begun))
            await context.abort(code, message)
        _log_success(name, _count(name, "OK", begun))
        return response

    return handle


def streaming(name: str, verb: Stream) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """A grpc.aio handler of ``verb``, which yields messages."""

    async def handle(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        begun = time.monotonic()
        try:
            async for response in verb(request):
                yield response
        except Exception as error:  # noqa: BLE001  # as above
            code, message = _translate(name, error)
            _log_failure(name, code, message, _count(name, code.name, begun))
            await context.abort(code, message)
        _count(name, "OK", begun)

    return handle


def _count(name: str, code: str, begun: float) -> float:
    """The call's seconds."""
    seconds = time.monotonic() - begun
    RPCS.add(name, code)
    RPC_SECONDS.observe(seconds, name)
    return seconds


def _translate(name: str, error: Exception) -> tuple[grpc.StatusCode, str]:
    if isinstance(error, errors.PycriError):
        return grpc.StatusCode[error.code], error.message
    if isinstance(error, OSError):
        return grpc.StatusCode.INTERNAL, f"{name}: {error}"
    if isinstance(error, sqlite3.Error):
        return grpc.StatusCode.INTERNAL, f"{name}: pycri's database: {error}"
    log.error("%s failed in a way pycri does not know", name, exc_info=error)
    return grpc.StatusCode.INTERNAL, f"{name}: {type(error).__name__}: {error}"


def _log_failure(name: str, code: grpc.StatusCode, message: str, seconds: float) -> None:
    log.warning("%s failed after %.3f s: %s: %s", name, seconds, code.name, message)


def _log_success(name: str, seconds: float) -> None:
    if seconds >= _SLOW_SECONDS:
        log.info("%s took %.3f s", name, seconds)
    elif not (name in _CHATTY or name.startswith("List") or name.endswith(_CHATTY_ENDINGS)):
        log.info("%s: %.1f ms", name, seconds * 1000)
    elif log.isEnabledFor(logging.DEBUG):
        log.debug("%s: %.1f ms", name, seconds * 1000)
