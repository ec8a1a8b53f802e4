"""The conditions of the CRI's Status."""

from __future__ import annotations

from installer.verify.check import Failed
from installer.verify.context import Context
from pycri._generated import cri_pb2


def expect_condition(ctx: Context, kind: str) -> str:
    """Evidence that condition `kind` is reported true. Raises Failed with the reason given, CriError."""
    conditions = ctx.runtime.Status(cri_pb2.StatusRequest()).status.conditions
    for condition in conditions:
        if condition.type == kind:
            if not condition.status:
                raise Failed(f"{kind} is false: {condition.reason}: {condition.message}")
            return f"{kind} is true"
    reported = ", ".join(condition.type for condition in conditions) or "none"
    raise Failed(f"Status reports no condition {kind} (it reports: {reported})")
