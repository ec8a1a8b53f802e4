"""The API that today's kubelets speak."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2
from pycri.ctl.stubs import V1


@check(
    "api.v1",
    tier=0,
    title="Speaks CRI v1",
    proves="the services of package runtime.v1; VersionResponse.runtime_api_version",
    fix="kubelets from 1.26 on need v1: upgrade the runtime",
)
def api_v1(ctx: Context) -> str:
    expect_equal(ctx.cri.api, V1, "the newest CRI package served")
    answer = ctx.runtime.Version(cri_pb2.VersionRequest(version="v1"))
    expect_equal(answer.runtime_api_version, "v1", "runtime_api_version")
    return f"{ctx.cri.api}, runtime_api_version {answer.runtime_api_version}"
