"""A privileged container."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context


@check(
    "container.privileged",
    tier=2,
    title="Gives a privileged container everything",
    proves=(
        "privileged (container and sandbox): capabilities, devices, /sys writable, no seccomp, nothing masked"
    ),
    fix="CNI and CSI daemons need it: the sandbox's security context must be privileged too",
)
def container_privileged(ctx: Context) -> str:
    with ctx.host_pod.running(name="privileged", linux=security(privileged=True)) as container:
        status = process_status.of_exec(container)
        given = status.capabilities("CapEff")
        for name in ("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_MODULE"):
            expect(name in given, f"{name} is missing")
        inherited = process_status.host_filters(ctx)
        expect_equal(status.seccomp_filters, inherited, "the number of seccomp filters")
        options = container.output("sh", "-c", "awk '$2 == \"/sys\" {print $4}' /proc/mounts").strip()
        expect("rw" in options.split(","), f"/sys is mounted {options}")
        expect(container.exec("test", "-c", "/dev/kmsg").exit_code == 0, "the host's /dev/kmsg is missing")
        masked = container.output("cat", "/proc/mounts")
        expect("/proc/kcore" not in masked, "/proc/kcore is masked")
        expect("proc/sys " not in masked, "/proc/sys is read-only")
    return f"{len(given)} capabilities, devices, /sys writable, no filter, nothing masked"
