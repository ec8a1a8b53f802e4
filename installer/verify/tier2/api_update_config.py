"""The kubelet tells the node's pod CIDR."""

from __future__ import annotations

from installer.verify.check import check
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "api.update-config",
    tier=2,
    title="Takes the kubelet's network configuration",
    proves=(
        "UpdateRuntimeConfig: RuntimeConfig.network_config, NetworkConfig.pod_cidr (empty: nothing to change)"
    ),
    fix="the kubelet calls it when the node gets its pod CIDR, and logs an error each time that it fails",
)
def api_update_config(ctx: Context) -> str:
    # empty, so that a runtime that writes a CNI configuration from it changes nothing on this node
    network = cri_pb2.NetworkConfig(pod_cidr="")
    config = cri_pb2.RuntimeConfig(network_config=network)
    ctx.runtime.UpdateRuntimeConfig(cri_pb2.UpdateRuntimeConfigRequest(runtime_config=config))
    return "taken"
