"""Capabilities that a user other than root keeps over execve."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context
from installer.verify.gaps import EVERY, containerd_gap
from pycri._generated import cri_pb2


@check(
    "container.capabilities-ambient",
    tier=2,
    title="Raises ambient capabilities",
    proves="Capability.add_ambient_capabilities: in effect for a process of uid 1234",
    fix="the container's OCI process.capabilities.ambient",
)
def container_capabilities_ambient(ctx: Context) -> str:
    containerd_gap(ctx, "leaves add_ambient_capabilities out", before=EVERY)
    wanted = cri_pb2.Capability(drop_capabilities=["ALL"], add_ambient_capabilities=["NET_BIND_SERVICE"])
    linux = security(run_as_user=cri_pb2.Int64Value(value=1234), capabilities=wanted)
    with ctx.container.pod.running(name="ambient", linux=linux) as container:
        status = process_status.of_main(container)
    expect_equal(status.uid, 1234, "the uid")
    expect_equal(status.capabilities("CapAmb"), {"CAP_NET_BIND_SERVICE"}, "the ambient set")
    expect("CAP_NET_BIND_SERVICE" in status.capabilities("CapEff"), "it is not in effect")
    return "NET_BIND_SERVICE in the ambient and effective sets of uid 1234"
