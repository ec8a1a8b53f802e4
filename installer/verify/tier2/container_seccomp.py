"""seccomp: the runtime's own profile, and none."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import profile, security
from installer.verify.context import Context


@check(
    "container.seccomp",
    tier=2,
    title="Filters system calls with RuntimeDefault, and not with Unconfined",
    proves="LinuxContainerSecurityContext.seccomp: profile_type RuntimeDefault, Unconfined",
    fix="does the kernel have CONFIG_SECCOMP_FILTER, and runc libseccomp? runc --version",
)
def container_seccomp(ctx: Context) -> str:
    pod, inherited = ctx.container.pod, process_status.host_filters(ctx)
    with pod.running(name="unconfined", linux=security(seccomp=profile("Unconfined"))) as container:
        filters = process_status.of_main(container).seccomp_filters
        expect_equal(filters, inherited, "the number of seccomp filters with Unconfined")
        allowed = container.exec("unshare", "-U", "true").exit_code == 0
    with pod.running(name="seccomp", linux=security(seccomp=profile("RuntimeDefault"))) as container:
        main, executed = process_status.of_main(container), process_status.of_exec(container)
        expect(main.seccomp_filters > inherited, "RuntimeDefault adds no seccomp filter")
        expect(executed.seccomp_filters > inherited, "an exec has no seccomp filter")
        refused = container.exec("unshare", "-U", "true")
        expect(refused.exit_code != 0, "under RuntimeDefault a process may make a user namespace")
        text = refused.stderr.decode(errors="replace").strip()
        if allowed:
            expect("not permitted" in text, f"making a user namespace failed otherwise: {text}")
    return f"a filter with RuntimeDefault ({text}), none with Unconfined"
