"""Status: NetworkReady."""

from __future__ import annotations

from installer.verify.check import check
from installer.verify.conditions import expect_condition
from installer.verify.context import Context


@check(
    "runtime.network-ready",
    tier=0,
    title="Pod network is ready",
    proves="RuntimeService.Status: the condition NetworkReady",
    fix="put a conflist into /etc/cni/net.d and its plugins into /opt/cni/bin; no restart is needed",
)
def runtime_network_ready(ctx: Context) -> str:
    return expect_condition(ctx, "NetworkReady")
