"""The security context of the pod's own process."""

from __future__ import annotations

from installer.verify import process_status
from installer.verify.check import Failed, check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import EVERY, containerd_gap
from pycri._generated import cri_pb2


@check(
    "pod.security",
    tier=2,
    title="The pod's own process runs as the pod's security context says",
    proves=(
        "LinuxSandboxSecurityContext: run_as_user, run_as_group, supplemental_groups, seccomp, "
        "readonly_rootfs"
    ),
    fix="the sandbox's OCI process: crictl inspectp ID",
)
def pod_security(ctx: Context) -> str:
    security = cri_pb2.LinuxSandboxSecurityContext(
        namespace_options=cri_pb2.NamespaceOption(pid=cri_pb2.POD),
        run_as_user=cri_pb2.Int64Value(value=65533),
        run_as_group=cri_pb2.Int64Value(value=65532),
        supplemental_groups=[4242],
        readonly_rootfs=True,
        seccomp=cri_pb2.SecurityProfile(profile_type=cri_pb2.SecurityProfile.RuntimeDefault),
    )
    with ctx.pod("security", linux=cri_pb2.LinuxPodSandboxConfig(security_context=security)) as pod:
        status = process_status.of_main(pod.start())
    expect_equal(status.uid, 65533, "the uid of the pod's first process")
    expect_equal(status.gid, 65532, "its gid")
    expect(status.seccomp_filters > process_status.host_filters(ctx), "it has no seccomp filter")
    if 4242 not in status.groups:
        containerd_gap(ctx, "leaves the sandbox's supplemental_groups out; the rest is right", before=EVERY)
        raise Failed(f"its groups are {sorted(status.groups)}, without 4242")
    return "uid 65533, gid 65532, group 4242, under a seccomp filter"
