"""Runtime handlers and features."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "runtime.handlers",
    tier=2,
    title="Says which runtime handlers there are, and what they can",
    proves="StatusResponse: runtime_handlers (the default one has no name), features",
    fix="the scheduler and the kubelet read it: userns, recursive read-only mounts, supplemental groups",
)
def runtime_handlers(ctx: Context) -> str:
    status = ctx.runtime.Status(cri_pb2.StatusRequest())
    names = [handler.name for handler in status.runtime_handlers]
    if not names:
        raise NotApplicable("the endpoint tells no handlers, which came with CRI 0.30")
    expect("" in names, f"the default handler is missing: {names}")
    expect(len(set(names)) == len(names), f"a handler is listed twice: {names}")
    expect(ctx.options.runtime_handler in names, f"{ctx.options.runtime_handler!r} is not among {names}")
    default = next(each.features for each in status.runtime_handlers if not each.name)
    can = [field.name for field, value in default.ListFields() if value]
    return f"{', '.join(filter(None, names))}; the default can: {', '.join(can) or 'nothing of it'}"
