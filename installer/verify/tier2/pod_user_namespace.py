"""User namespaces: served where the handler says so, refused where it does not."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from installer.verify.handlers import features
from pycri._generated import cri_pb2

_FIRST, _LENGTH = 1_000_000, 65536


@check(
    "pod.user-namespace",
    tier=2,
    title="Runs a pod in a user namespace, or says that it cannot",
    proves="UserNamespace: mode POD, uids, gids; RuntimeHandlerFeatures.user_namespaces tells the truth",
    fix="hostUsers: false must never run as the host's root: it is served, or refused",
)
def pod_user_namespace(ctx: Context) -> str:
    containerd_gap(ctx, "knows no user namespaces, and takes no notice of them", before=(1, 7))
    served = features(ctx).user_namespaces
    ids = [cri_pb2.IDMapping(host_id=_FIRST, container_id=0, length=_LENGTH)]
    users = cri_pb2.UserNamespace(mode=cri_pb2.POD, uids=ids, gids=ids)
    options = cri_pb2.NamespaceOption(pid=cri_pb2.CONTAINER, userns_options=users)
    linux = cri_pb2.LinuxPodSandboxConfig(
        security_context=cri_pb2.LinuxSandboxSecurityContext(namespace_options=options)
    )
    try:
        with ctx.pod("users", linux=linux) as pod:
            found = pod.start().output("cat", "/proc/self/uid_map", "/proc/self/gid_map").split()
    except CriError as error:
        if served:
            raise
        return f"not served, and refused: {error.details[:100]}"
    if not served and found[1] == "0":
        raise Failed("the pod was asked to have a user namespace, and runs as the host's users")
    expect(found, "there is no /proc/self/uid_map")
    expect_equal(found, ["0", str(_FIRST), str(_LENGTH)] * 2, "uid_map and gid_map")
    return f"root in the pod is {_FIRST} on the host"
