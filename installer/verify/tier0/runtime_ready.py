"""Status: RuntimeReady."""

from __future__ import annotations

from installer.verify.check import check
from installer.verify.conditions import expect_condition
from installer.verify.context import Context


@check(
    "runtime.ready",
    tier=0,
    title="Runtime is ready",
    proves="RuntimeService.Status: the condition RuntimeReady",
    fix="see whether containerd runs: systemctl status containerd; journalctl -u containerd -n 50",
    gate=True,
)
def runtime_ready(ctx: Context) -> str:
    return expect_condition(ctx, "RuntimeReady")
