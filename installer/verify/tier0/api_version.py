"""The daemon answers at all."""

from __future__ import annotations

import shlex

from installer.verify.check import Failed, check, expect
from installer.verify.client import CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "api.version",
    tier=0,
    title="Answers, and says what it is",
    proves="RuntimeService.Version: runtime_name, runtime_version",
    fix="look at the daemon: systemctl status pycri; journalctl -u pycri -n 50",
    gate=True,
)
def api_version(ctx: Context) -> str:
    try:
        answer = ctx.runtime.Version(cri_pb2.VersionRequest(version="v1"))
    except CriError as error:
        raise Failed(_why(ctx, error)) from error
    expect(answer.runtime_name, "runtime_name is empty")
    expect(answer.runtime_version, "runtime_version is empty")
    return f"{answer.runtime_name} {answer.runtime_version}"


def _why(ctx: Context, error: CriError) -> str:
    """What the host can tell about a socket that does not answer."""
    path = ctx.address.removeprefix("unix://")
    if error.code != "UNAVAILABLE" or ctx.session.host.refusal is not None:
        return str(error)
    kind = ctx.session.host.run(f"stat -L -c %F -- {shlex.quote(path)}", check=False)
    if kind.code != 0:
        return f"there is no {path} on {ctx.session.host.name}"
    if kind.text.strip() != "socket":
        return f"{path} is a {kind.text.strip()}, not a socket"
    return f"nobody answers on {path}: {error.details}"
