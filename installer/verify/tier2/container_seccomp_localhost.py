"""seccomp: a profile of the node."""

from __future__ import annotations

import json
import shlex

from installer.verify.check import Failed, check, expect
from installer.verify.client import CriError
from installer.verify.containers import profile, security
from installer.verify.context import Context

_PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
}


@check(
    "container.seccomp-localhost",
    tier=2,
    title="Applies a seccomp profile of the node, and refuses one that is not there",
    proves="SecurityProfile: profile_type Localhost, localhost_ref (an absolute path)",
    fix="the profile is JSON as OCI's linux.seccomp has it, readable for the daemon",
)
def container_seccomp_localhost(ctx: Context) -> str:
    path = f"{ctx.session.host_directory('seccomp')}/no-mkdir.json"
    ctx.host.run(f"cat > {shlex.quote(path)}", stdin=json.dumps(_PROFILE).encode())
    pod = ctx.container.pod
    with pod.running(name="localhost", linux=security(seccomp=profile("Localhost", path))) as container:
        container.output("touch", "/tmp/file")
        refused = container.exec("mkdir", "/tmp/directory")
        expect(refused.exit_code != 0, "mkdir works, though the profile forbids it")
        text = refused.stderr.decode(errors="replace").strip()
        expect("not permitted" in text, f"mkdir failed otherwise: {text}")
    try:
        with pod.running(name="missing", linux=security(seccomp=profile("Localhost", f"{path}.none"))):
            pass
    except CriError as error:
        return f"mkdir refused by the profile; a missing one: {error.details[-80:]}"
    raise Failed("a container runs with a seccomp profile that is not there")
