"""AppArmor, where the kernel has it."""

from __future__ import annotations

from installer.verify.check import Failed, NotApplicable, check, expect
from installer.verify.client import CriError
from installer.verify.containers import profile, security
from installer.verify.context import Context


@check(
    "container.apparmor",
    tier=2,
    title="Applies AppArmor profiles, and refuses those that are not there",
    proves="LinuxContainerSecurityContext.apparmor: RuntimeDefault, Unconfined, Localhost",
    fix="which profiles are loaded: /sys/kernel/security/apparmor/profiles",
)
def container_apparmor(ctx: Context) -> str:
    pod = ctx.container.pod
    try:
        with pod.running(name="no-profile", linux=security(apparmor=profile("Localhost", "nodestrap-none"))):
            pass
    except CriError as error:
        refusal = error.details[-100:]
    else:
        raise Failed("a container runs with an AppArmor profile that is not there")
    enabled = (ctx.host.read("/sys/module/apparmor/parameters/enabled") or b"").strip() == b"Y"
    if not enabled:
        raise NotApplicable(f"the kernel has no AppArmor (a profile is refused: {refusal})")
    parser = "PATH=$PATH:/usr/sbin:/sbin command -v apparmor_parser"
    if ctx.host.run(parser, check=False).code != 0:
        raise NotApplicable("apparmor_parser is not installed on the host: no profile can be loaded")
    found = {}
    for kind in ("RuntimeDefault", "Unconfined"):
        with pod.running(
            name=f"apparmor-{kind.lower()}", linux=security(apparmor=profile(kind))
        ) as container:
            found[kind] = container.output("cat", "/proc/1/attr/current").strip("\0\n ")
    expect(found["Unconfined"] == "unconfined", f"Unconfined is {found['Unconfined']!r}")
    expect(found["RuntimeDefault"].endswith("(enforce)"), f"RuntimeDefault is {found['RuntimeDefault']!r}")
    return f"RuntimeDefault is {found['RuntimeDefault']}; a profile that is not loaded is refused"
