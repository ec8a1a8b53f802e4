"""The five documents as nodestrap sets them, before the user's overrides; extra arguments are mappings."""

from __future__ import annotations

from typing import Any, Final

from installer.kubeadm.settings import (
    API_SERVER_PORT,
    CRI_SOCKET,
    SANDBOX_IMAGE,
    Cluster,
    Discovery,
    Node,
    Secrets,
    with_port,
)
from installer.kubeadm.version import KubernetesVersion

Document = dict[str, Any]

# What kubeadm itself gives the token that init makes.
_TOKEN_USAGES: Final = ["signing", "authentication"]
_TOKEN_GROUPS: Final = ["system:bootstrappers:kubeadm:default-node-token"]


def cluster_configuration(cluster: Cluster) -> Document:
    document: Document = {"kubernetesVersion": f"v{cluster.version}"}
    if cluster.control_plane_endpoint:
        document["controlPlaneEndpoint"] = with_port(cluster.control_plane_endpoint)
    if cluster.image_repository:
        document["imageRepository"] = cluster.image_repository
    if cluster.extra_sans:
        document["apiServer"] = {"certSANs": list(cluster.extra_sans)}
    networking = {"dnsDomain": cluster.dns_domain}
    if cluster.pod_subnets:
        networking["podSubnet"] = ",".join(cluster.pod_subnets)
    if cluster.service_subnets:
        networking["serviceSubnet"] = ",".join(cluster.service_subnets)
    document["networking"] = networking
    if cluster.dual_stack and cluster.version.minor_version < (1, 21):
        document["featureGates"] = {"IPv6DualStack": True}  # on by default from 1.21, gone later
    return document


def init_configuration(cluster: Cluster, node: Node, secrets: Secrets) -> Document:
    document: Document = {
        "bootstrapTokens": [
            {
                "token": secrets.token,
                "ttl": secrets.token_ttl,
                "usages": list(_TOKEN_USAGES),
                "groups": list(_TOKEN_GROUPS),
            }
        ],
        "nodeRegistration": _node_registration(cluster, node, control_plane=True),
        "localAPIEndpoint": _local_endpoint(node),
    }
    if secrets.certificate_key:
        document["certificateKey"] = secrets.certificate_key
    if cluster.skip_phases and cluster.version.config_api >= "v1beta3":
        document["skipPhases"] = list(cluster.skip_phases)
    return document


def join_configuration(
    cluster: Cluster, node: Node, secrets: Secrets, discovery: Discovery, *, control_plane: bool
) -> Document:
    document: Document = {
        "discovery": _discovery(discovery, secrets),
        "nodeRegistration": _node_registration(cluster, node, control_plane=control_plane),
    }
    if control_plane:
        document["controlPlane"] = {"localAPIEndpoint": _local_endpoint(node)}
        if secrets.certificate_key:
            document["controlPlane"]["certificateKey"] = secrets.certificate_key
    return document


def kubelet_configuration(cluster: Cluster) -> Document:
    document: Document = {"cgroupDriver": cluster.cgroup_driver}
    if cluster.cgroup_v1 and cluster.version.refuses_cgroup_v1:
        document["failCgroupV1"] = False
    return document


def kube_proxy_configuration(cluster: Cluster) -> Document:
    """kube-proxy's; empty unless something is asked for: kubeadm fills in the cluster's subnets."""
    if not cluster.leave_conntrack:
        return {}
    # Zero means: as the host has it. Without this kube-proxy writes sysctls, and stops where it may not.
    untouched: Document = {"maxPerCore": 0, "min": 0}
    untouched |= {"tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    if cluster.version.minor_version >= (1, 29):
        untouched |= {"udpTimeout": "0s", "udpStreamTimeout": "0s"}
    return {"conntrack": untouched}


def _node_registration(cluster: Cluster, node: Node, *, control_plane: bool) -> Document:
    version = cluster.version
    document: Document = {"name": node.name, "criSocket": CRI_SOCKET}
    taints = [
        {"key": taint.key, "value": taint.value, "effect": taint.effect}
        if taint.value
        else {"key": taint.key, "effect": taint.effect}
        for taint in node.taints
    ]
    # Without the field kubeadm taints a control plane itself; with it, only what the field says.
    if control_plane and node.schedulable:
        document["taints"] = taints
    elif control_plane and taints:
        own = [{"key": key, "effect": "NoSchedule"} for key in version.control_plane_taints]
        document["taints"] = own + taints
    elif taints:
        document["taints"] = taints
    if control_plane and "addon/coredns" in cluster.skip_phases:
        # kubeadm pulls CoreDNS beforehand even where it will not install it.
        document["ignorePreflightErrors"] = ["ImagePull"]
    document["kubeletExtraArgs"] = _kubelet_arguments(version, node)
    return document


def _kubelet_arguments(version: KubernetesVersion, node: Node) -> Document:
    arguments: Document = {}
    if version.takes_remote_flag:
        arguments["container-runtime"] = "remote"
        # Later kubelets ask the CRI which images are pinned; these would collect pycri's pause image.
        arguments["pod-infra-container-image"] = SANDBOX_IMAGE
    arguments["node-ip"] = ",".join(node.ips)
    # The kubelet's configuration is the cluster's; what differs on a host goes into its flags.
    if node.cgroup_driver:
        arguments["cgroup-driver"] = node.cgroup_driver
    if node.resolv_conf:
        arguments["resolv-conf"] = node.resolv_conf
    if node.labels:
        arguments["node-labels"] = ",".join(f"{key}={value}" for key, value in sorted(node.labels.items()))
    return arguments


def _local_endpoint(node: Node) -> Document:
    return {"advertiseAddress": node.ips[0], "bindPort": API_SERVER_PORT}


def _discovery(discovery: Discovery, secrets: Secrets) -> Document:
    if discovery.file is not None:
        return {"file": {"kubeConfigPath": discovery.file}, "tlsBootstrapToken": secrets.token}
    return {
        "bootstrapToken": {
            "apiServerEndpoint": with_port(discovery.endpoint),
            "token": secrets.token,
            "caCertHashes": list(discovery.ca_cert_hashes),
        }
    }
