"""Which versions may run together. Rules: https://kubernetes.io/releases/version-skew-policy/.

Each function yields nothing when all is well, or a sentence for each pair that may not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from installer.errors import InventoryError
from installer.kubeadm.version import KubernetesVersion


def check(
    control_planes: Mapping[str, KubernetesVersion],
    kubelets: Mapping[str, KubernetesVersion],
    kubeadm: KubernetesVersion,
) -> None:
    """Hold one cluster's versions, by host, against the rules. Raises InventoryError with every breach."""
    found = [
        *between_control_planes(control_planes),
        *of_kubelets(control_planes, kubelets),
        *of_kubeadm(control_planes, kubelets, kubeadm),
    ]
    if found:
        raise InventoryError(
            "these Kubernetes versions may not run together:\n" + "\n".join(f"  {line}" for line in found),
            fix="give all hosts one kubernetes_version, or upgrade control planes first, one minor at a time",
        )


def between_control_planes(versions: Mapping[str, KubernetesVersion]) -> Iterator[str]:
    """API servers of one cluster lie at most one minor apart."""
    if versions:
        oldest = min(versions, key=lambda host: versions[host].triple)
        newest = max(versions, key=lambda host: versions[host].triple)
        if _minors(versions[newest], versions[oldest]) > 1:
            yield (
                f"{newest}: API server {versions[newest]} is more than one minor newer than "
                f"that of {oldest}, {versions[oldest]}"
            )


def of_kubelets(
    control_planes: Mapping[str, KubernetesVersion], kubelets: Mapping[str, KubernetesVersion]
) -> Iterator[str]:
    """A kubelet is no newer than any API server, and at most three minors older (two before kubelet 1.25)."""
    if not control_planes:
        return
    oldest = min(control_planes.values(), key=lambda version: version.triple)
    newest = max(control_planes.values(), key=lambda version: version.triple)
    for host, kubelet in kubelets.items():
        if kubelet.minor_version > oldest.minor_version:
            yield f"{host}: kubelet {kubelet} is newer than API server {oldest}"
        allowed = 3 if kubelet.minor_version >= (1, 25) else 2
        if _minors(newest, kubelet) > allowed:
            yield f"{host}: kubelet {kubelet} is more than {allowed} minors older than API server {newest}"


def of_kubeadm(
    control_planes: Mapping[str, KubernetesVersion],
    kubelets: Mapping[str, KubernetesVersion],
    kubeadm: KubernetesVersion,
) -> Iterator[str]:
    """kubeadm works on control planes of its own minor or the one before, and on no newer kubelet."""
    for host, version in control_planes.items():
        if not 0 <= _minors(kubeadm, version) <= 1:
            yield f"{host}: kubeadm {kubeadm} cannot handle a control plane {version}"
    for host, version in kubelets.items():
        if version.minor_version > kubeadm.minor_version:
            yield f"{host}: kubelet {version} is newer than kubeadm {kubeadm}"


def check_upgrade(current: KubernetesVersion, wanted: KubernetesVersion) -> None:
    """Raises InventoryError unless a control plane may go from ``current`` to ``wanted`` in one step."""
    if wanted.triple < current.triple:
        raise InventoryError(
            f"the cluster runs {current}; kubeadm cannot take it back to {wanted}",
            fix=f"set kubernetes_version to {current} or later, or restore a backup of etcd",
        )
    if _minors(wanted, current) > 1:
        between = f"{current.major}.{current.minor + 1}"
        raise InventoryError(
            f"from {current} to {wanted} a minor would be left out, which kubeadm refuses",
            fix=f"set kubernetes_version to a {between} release first",
        )


def _minors(newer: KubernetesVersion, older: KubernetesVersion) -> int:
    return (newer.major - older.major) * 1000 + newer.minor - older.minor
