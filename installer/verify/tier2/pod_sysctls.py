"""Kernel settings of a pod's namespaces."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2

_WANTED = {"net.ipv4.ip_local_port_range": "10240\t60999", "kernel.shm_rmid_forced": "1"}


@check(
    "pod.sysctls",
    tier=2,
    title="Sets the pod's sysctls, and none of the host's",
    proves="LinuxPodSandboxConfig.sysctls, of the network and of the IPC namespace; refused in the host's",
    fix="the sandbox's OCI spec, linux.sysctl; runc refuses what is not of a namespace of the pod",
)
def pod_sysctls(ctx: Context) -> str:
    given = {name: value.replace("\t", " ") for name, value in _WANTED.items()}
    with ctx.pod("sysctls", linux=cri_pb2.LinuxPodSandboxConfig(sysctls=given)) as pod:
        container = pod.start()
        for name, value in _WANTED.items():
            found = container.output("cat", f"/proc/sys/{name.replace('.', '/')}").strip()
            expect_equal(found, value, name)
    node = cri_pb2.NamespaceOption(network=cri_pb2.NODE, pid=cri_pb2.CONTAINER)
    security = cri_pb2.LinuxSandboxSecurityContext(namespace_options=node)
    linux = cri_pb2.LinuxPodSandboxConfig(security_context=security, sysctls=given)
    try:
        with ctx.pod("host-sysctls", linux=linux):
            pass
    except CriError as error:
        return f"{', '.join(_WANTED)} set; with the host's network refused: {error.details[:80]}"
    raise Failed("a pod in the host's network namespace may change the host's net sysctls")
