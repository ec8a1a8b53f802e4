"""crictl points at this endpoint."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from installer.verify.node_files import CRICTL, same_endpoint


@check(
    "node.crictl",
    tier=0,
    title="crictl uses this endpoint",
    proves="runtime-endpoint and image-endpoint of /etc/crictl.yaml",
    fix="set runtime-endpoint and image-endpoint in /etc/crictl.yaml",
)
def node_crictl(ctx: Context) -> str:
    config = ctx.node_files.document(CRICTL)
    if not config:
        raise NotApplicable(f"there is no {CRICTL}")
    for key in ("runtime-endpoint", "image-endpoint"):
        # crictl takes the runtime's endpoint for images when none is set for them.
        value = str(config.get(key) or (key == "image-endpoint" and ctx.address) or "")
        expect(value, f"{CRICTL} sets no {key}: crictl tries a list of sockets, and warns")
        expect(same_endpoint(value, ctx.address), f"{CRICTL}: {key} is {value}, not {ctx.address}")
    return f"{CRICTL}: {config['runtime-endpoint']}"
