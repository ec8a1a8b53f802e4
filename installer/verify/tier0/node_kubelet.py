"""The kubelet points at this endpoint."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect
from installer.verify.context import Context
from installer.verify.node_files import KUBELET, KUBELET_INSTANCE, NodeFiles, same_endpoint


@check(
    "node.kubelet",
    tier=0,
    title="Kubelet uses this endpoint",
    proves="containerRuntimeEndpoint of KubeletConfiguration, or --container-runtime-endpoint",
    fix="set containerRuntimeEndpoint in /var/lib/kubelet/config.yaml and restart the kubelet",
)
def node_kubelet(ctx: Context) -> str:
    found = kubelet_endpoint(ctx.node_files)
    if found is None:
        raise NotApplicable("no kubelet configuration on this host names an endpoint")
    endpoint, path = found
    expect(same_endpoint(endpoint, ctx.address), f"{path} says {endpoint}, not {ctx.address}")
    return f"{path}: {endpoint}"


def kubelet_endpoint(files: NodeFiles) -> tuple[str, str] | None:
    """(endpoint, file). A flag wins over the files, as in the kubelet itself."""
    flag = files.kubelet_flag("container-runtime-endpoint")
    if flag is not None:
        return flag
    for path in (KUBELET_INSTANCE, KUBELET):
        endpoint = files.document(path).get("containerRuntimeEndpoint")
        if endpoint:
            return str(endpoint), path
    return None
