"""The runtime's cgroup driver, and the kubelet's."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.node_files import KUBELET, KUBELET_INSTANCE
from pycri._generated import cri_pb2


@check(
    "runtime.cgroup-driver",
    tier=0,
    title="Cgroup driver is told, and is the kubelet's",
    proves="RuntimeService.RuntimeConfig: LinuxRuntimeConfiguration.cgroup_driver",
    fix="set cgroupDriver in the kubelet's config.yaml to the runtime's, or [cgroups] driver in pycri's",
)
def runtime_cgroup_driver(ctx: Context) -> str:
    driver = _runtime_driver(ctx)
    try:
        kubelet = _kubelet_driver(ctx)
    except NotApplicable as reason:
        return f"{driver}; {reason}"
    if kubelet is None:
        return f"{driver}; no kubelet configuration on the host yet"
    expect_equal(kubelet, driver, f"cgroupDriver in {KUBELET}")
    return f"{driver}, as the kubelet's"


def _runtime_driver(ctx: Context) -> str:
    try:
        answer = ctx.runtime.RuntimeConfig(cri_pb2.RuntimeConfigRequest())
    except CriError as error:
        if error.code == "UNIMPLEMENTED":
            raise NotApplicable("the endpoint does not serve RuntimeConfig (CRI 0.28 and later)") from None
        raise
    return cri_pb2.CgroupDriver.Name(answer.linux.cgroup_driver).lower()


def _kubelet_driver(ctx: Context) -> str | None:
    documents = [ctx.node_files.document(path) for path in (KUBELET_INSTANCE, KUBELET)]
    if not any(documents):
        return None
    # An absent field means cgroupfs, unless the kubelet asks the runtime itself (1.28 and later, by feature
    # gate until 1.36): nothing to compare then.
    return next((each["cgroupDriver"] for each in documents if "cgroupDriver" in each), None)
