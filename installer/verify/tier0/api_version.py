"""The daemon answers in CRI v1."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.client import V1
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "api.version",
    tier=0,
    title="Speaks CRI v1",
    proves="RuntimeService.Version of runtime.v1; VersionResponse.runtime_api_version",
    fix="look at the daemon: systemctl status pycri; journalctl -u pycri -n 50",
    gate=True,
)
def api_version(ctx: Context) -> str:
    answer = ctx.runtime.Version(cri_pb2.VersionRequest(version="v1"))
    expect(answer.runtime_name, "runtime_name is empty")
    expect(answer.runtime_version, "runtime_version is empty")
    expect_equal(
        ctx.cri.api, V1, "the CRI package served", fix="kubelets from 1.26 on need v1: upgrade the runtime"
    )
    expect_equal(answer.runtime_api_version, "v1", "runtime_api_version")
    return f"{answer.runtime_name} {answer.runtime_version}, API {answer.runtime_api_version}"
