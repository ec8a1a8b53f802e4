"""Settings and overrides in, the text of kubeadm's configuration file out.

The files carry the token and the certificate key: they are written with mode 0600 and removed when kubeadm is
done. Nothing secret is ever an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from installer.kubeadm import api_types, documents, extra_args, overrides
from installer.kubeadm.settings import Cluster, Discovery, Node, Secrets
from installer.kubeadm.version import KubernetesVersion


def init_file(cluster: Cluster, node: Node, secrets: Secrets) -> str:
    """The file for ``kubeadm init`` on the first control plane.

    Raises InventoryError when the node's overrides do not fit the version.
    """
    overrides.check(node.overrides, cluster.version)
    parts = [
        ("InitConfiguration", documents.init_configuration(cluster, node, secrets)),
        ("ClusterConfiguration", documents.cluster_configuration(cluster)),
        ("KubeletConfiguration", documents.kubelet_configuration(cluster)),
        ("KubeProxyConfiguration", documents.kube_proxy_configuration(cluster)),
    ]
    return _text(parts, node, cluster.version)


def join_file(
    cluster: Cluster, node: Node, secrets: Secrets, discovery: Discovery, *, control_plane: bool
) -> str:
    """The file for ``kubeadm join``, of a worker or of a further control plane.

    Raises InventoryError when the node's overrides do not fit the version.
    """
    overrides.check(node.overrides, cluster.version)
    document = documents.join_configuration(cluster, node, secrets, discovery, control_plane=control_plane)
    return _text([("JoinConfiguration", document)], node, cluster.version)


def init_arguments(cluster: Cluster, secrets: Secrets) -> tuple[str, ...]:
    """Arguments of ``kubeadm init`` beside its file; none is secret, and none has it print what is."""
    arguments = ["--skip-token-print"]
    if secrets.certificate_key:
        arguments += ["--upload-certs", "--skip-certificate-key-print"]
    if cluster.skip_phases and cluster.version.config_api < "v1beta3":
        arguments.append(f"--skip-phases={','.join(cluster.skip_phases)}")  # v1beta2 has no field for it
    return tuple(arguments)


def _text(parts: Iterable[tuple[str, dict[str, Any]]], node: Node, version: KubernetesVersion) -> str:
    texts = []
    for kind, base in parts:
        merged = overrides.merge(kind, base, node.overrides)
        if merged:
            head = {"apiVersion": api_types.api_version(kind, version), "kind": kind}
            texts.append(_yaml(head | extra_args.in_form_of(merged, version)))
    return "---\n".join(texts)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=False, width=4096, allow_unicode=True)
