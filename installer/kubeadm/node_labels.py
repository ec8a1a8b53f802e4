"""Labels that a node gives itself: the kubelet stops on some that belong to Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from installer.errors import InventoryError

_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?", re.ASCII)
_PREFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")

# k8s.io/kubelet, pkg/apis/well_known_labels.go: a kubelet's own within kubernetes.io and k8s.io.
_ALLOWED_PREFIXES: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")
_ALLOWED: Final = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)


def check_labels(labels: Mapping[str, str]) -> None:
    """Raises InventoryError for a label that is malformed or that the kubelet would refuse."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
            raise InventoryError(f"{key!r} is no label key", fix="it is name or example.org/name")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise InventoryError(
                f"label {key}: {value!r} is no label value",
                fix="up to 63 letters, digits, '-', '_' and '.'; put true and numbers in quotes",
            )
        if _reserved(prefix) and key not in _ALLOWED and not _within(prefix, _ALLOWED_PREFIXES):
            raise InventoryError(
                f"label {key}: the kubelet may not give its own node this label",
                fix="use another prefix, such as node.kubernetes.io, or kubectl label node afterwards",
            )


def _reserved(prefix: str) -> bool:
    return _within(prefix, ("kubernetes.io", "k8s.io"))


def _within(prefix: str, domains: tuple[str, ...]) -> bool:
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in domains)
