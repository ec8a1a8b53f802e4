"""What the user adds to kubeadm's documents: merged by section, and held against the version's types.

Mappings merge, key by key, to any depth; any other value replaces what was there, lists too; null removes it.
Extra arguments may be written as a mapping for every version, or as v1beta4's list of names and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from installer.errors import InventoryError
from installer.kubeadm import api_types, extra_args
from installer.kubeadm.version import KubernetesVersion
from installer.suggest import did_you_mean

Document = dict[str, Any]
Overrides = Mapping[str, Mapping[str, Any]]

# Fields that other parts of nodestrap rely on, and the variable that sets them instead.
_RESERVED: Final[Mapping[str, Mapping[tuple[str, ...], str]]] = {
    "ClusterConfiguration": {
        ("kubernetesVersion",): "set kubernetes_version",
        ("controlPlaneEndpoint",): "set kubernetes_control_plane_endpoint",
    },
    "InitConfiguration": {
        ("bootstrapTokens",): "nodestrap makes one short-lived token for each run",
        ("certificateKey",): "nodestrap makes a new one for each run",
        ("nodeRegistration", "criSocket"): "it is pycri's",
        ("nodeRegistration", "name"): "set kubernetes_node_name",
    },
    "JoinConfiguration": {
        ("discovery",): "nodestrap makes it, with a short-lived token for each run",
        ("controlPlane", "certificateKey"): "nodestrap makes a new one for each run",
        ("nodeRegistration", "criSocket"): "it is pycri's",
        ("nodeRegistration", "name"): "set kubernetes_node_name",
    },
    "KubeletConfiguration": {("cgroupDriver",): "set pycri_cgroup_driver, which the kubelet follows"},
    "KubeProxyConfiguration": {},
}


def merge(kind: str, base: Document, overrides: Overrides) -> Document:
    """``base`` with the section ``kind`` of the overrides merged in; neither is changed."""
    merged: Document = _merged(base, extra_args.as_mappings(overrides.get(kind) or {}))
    return merged


def check(overrides: Any, version: KubernetesVersion) -> None:
    """Hold all sections against this version's types.

    Raises InventoryError that names each unknown section or field, each wrong type and each field that is
    nodestrap's own.
    """
    found = list(_problems(overrides, version))
    if found:
        raise InventoryError(
            "kubeadm_overrides does not fit:\n" + "\n".join(f"  {line}" for line in found),
            fix=f"{version} reads kubeadm.k8s.io/{version.config_api}; its fields, and those of the "
            "kubelet and kube-proxy, are listed in https://kubernetes.io/docs/reference/config-api/",
        )


def _problems(overrides: Any, version: KubernetesVersion) -> Iterator[str]:
    if not isinstance(overrides, Mapping):
        yield f"it must be a mapping of {', '.join(api_types.GROUPS)}, not {overrides!r}"
        return
    for kind, section in overrides.items():
        if kind not in api_types.GROUPS:
            known = list(api_types.GROUPS)
            yield f"{kind}: no such section; known: {', '.join(known)}.{did_you_mean(str(kind), known)}"
        elif not isinstance(section, Mapping):
            yield f"{kind} must be a mapping, not {section!r}"
        else:
            yield from _section(kind, section, version)


def _section(kind: str, section: Mapping[str, Any], version: KubernetesVersion) -> Iterator[str]:
    for path, instead in _RESERVED[kind].items():
        if _holds(section, path):
            yield f"{kind}.{'.'.join(path)} cannot be overridden: {instead}"
    for field in ("apiVersion", "kind"):
        if field in section:
            yield f"{kind}.{field}: leave it out; it follows from kubernetes_version"
    own = {name: value for name, value in section.items() if name not in ("apiVersion", "kind")}
    # null removes a field: it fits every type.
    plain = _without_nulls(extra_args.as_mappings(own))
    yield from api_types.problems(kind, extra_args.in_form_of(plain, version), version)


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _merged(result[key] if isinstance(result.get(key), Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _holds(section: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(section, Mapping) or key not in section:
            return False
        section = section[key]
    return True
