"""Capabilities: given, added, dropped, and what the kernel then lets the process do."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.capabilities",
    tier=2,
    title="Adds and drops capabilities",
    proves="Capability: add_capabilities, drop_capabilities, also ALL; the inheritable set stays empty",
    fix="the container's OCI process.capabilities: crictl inspect ID",
)
def container_capabilities(ctx: Context) -> str:
    pod = ctx.container.pod
    default = process_status.of_main(ctx.container)
    expect("CAP_CHOWN" in default.capabilities("CapEff"), "CAP_CHOWN is not among the default capabilities")
    expect("CAP_SYS_ADMIN" not in default.capabilities("CapBnd"), "CAP_SYS_ADMIN is given by default")
    expect_equal(default.capabilities("CapInh"), set(), "the inheritable set (CVE-2022-24769)")
    changed = cri_pb2.Capability(add_capabilities=["NET_ADMIN"], drop_capabilities=["CHOWN"])
    with pod.running(name="capabilities", linux=security(capabilities=changed)) as container:
        wanted = (default.capabilities("CapEff") | {"CAP_NET_ADMIN"}) - {"CAP_CHOWN"}
        for who, status in (
            ("the main process", process_status.of_main(container)),
            ("a command executed", process_status.of_exec(container)),
        ):
            expect_equal(status.capabilities("CapEff"), wanted, f"the capabilities of {who}")
        refused = container.exec("chown", "1:1", "/tmp")
        expect(refused.exit_code != 0, "without CAP_CHOWN a file changes its owner")
    none = cri_pb2.Capability(drop_capabilities=["ALL"], add_capabilities=["NET_BIND_SERVICE"])
    with pod.running(name="capabilities-none", linux=security(capabilities=none)) as container:
        left = process_status.of_main(container)
        expect_equal(left.capabilities("CapBnd"), {"CAP_NET_BIND_SERVICE"}, "the bounding set after ALL")
    return "NET_ADMIN added, CHOWN dropped and missed; ALL dropped but one"
