"""The daemon answers at all."""

from __future__ import annotations

from installer.verify.check import check, expect
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
    answer = ctx.runtime.Version(cri_pb2.VersionRequest(version="v1"))
    expect(answer.runtime_name, "runtime_name is empty")
    expect(answer.runtime_version, "runtime_version is empty")
    return f"{answer.runtime_name} {answer.runtime_version}"
