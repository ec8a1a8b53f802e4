"""What the endpoint's runtime handlers can do (StatusResponse.runtime_handlers)."""

from __future__ import annotations

from typing import Any

from installer.verify.context import Context
from pycri._generated import cri_pb2


def features(ctx: Context) -> Any:
    """RuntimeHandlerFeatures of the run's handler; all false where none are told. Raises CriError."""
    status = ctx.runtime.Status(cri_pb2.StatusRequest())
    for handler in status.runtime_handlers:
        if handler.name == ctx.options.runtime_handler:
            return handler.features
    return cri_pb2.RuntimeHandlerFeatures()
