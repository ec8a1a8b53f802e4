"""no_new_privs."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import check, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context


@check(
    "container.no-new-privs",
    tier=2,
    title="Forbids new privileges when asked to, and only then",
    proves="LinuxContainerSecurityContext.no_new_privs (allowPrivilegeEscalation: false)",
    fix="the container's OCI process.noNewPrivileges",
)
def container_no_new_privs(ctx: Context) -> str:
    expect_equal(process_status.of_main(ctx.container).no_new_privs, False, "NoNewPrivs by default")
    with ctx.container.pod.running(name="no-new-privs", linux=security(no_new_privs=True)) as container:
        expect_equal(process_status.of_main(container).no_new_privs, True, "NoNewPrivs when asked for")
        expect_equal(process_status.of_exec(container).no_new_privs, True, "NoNewPrivs of an exec")
    return "set for main process and exec; not set by default"
