"""Kubernetes versions: parsed, compared, refused when out of range; and what depends on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from installer.errors import InventoryError

OLDEST: Final = (1, 20)
NEWEST: Final = (1, 36)

# kubeadm reads an older configuration API for some releases after it brought a new one. Written is the newest
# that every patch release of a minor reads: v1beta2 1.15 to 1.26, v1beta3 since 1.22, v1beta4 since 1.31.
_CONFIG_APIS: Final = (((1, 31), "v1beta4"), ((1, 22), "v1beta3"), ((1, 20), "v1beta2"))

_FORM: Final = re.compile(
    r"v?(?P<major>0|[1-9]\d{0,3})\.(?P<minor>0|[1-9]\d{0,3})\.(?P<patch>0|[1-9]\d{0,5})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)


@dataclass(frozen=True)
class KubernetesVersion:
    """``1.31.4``, or ``1.36.0-rc.1``. Compare ``minor_version`` or ``triple``, not the texts."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    @property
    def minor_version(self) -> tuple[int, int]:
        """What skew rules and configuration APIs go by: ``(1, 31)``."""
        return (self.major, self.minor)

    @property
    def triple(self) -> tuple[int, int, int]:
        return (self.major, self.minor, self.patch)

    @property
    def config_api(self) -> str:
        """The version of ``kubeadm.k8s.io`` to write for this kubeadm."""
        for since, api in _CONFIG_APIS:
            if self.minor_version >= since:
                return api
        raise InventoryError(f"no kubeadm API is known for Kubernetes {self}", fix=_RANGE)

    @property
    def takes_remote_flag(self) -> bool:
        """Whether the kubelet still knows ``--container-runtime``; 1.27 refuses to start with it."""
        return self.minor_version < (1, 27)

    @property
    def refuses_cgroup_v1(self) -> bool:
        """Whether the kubelet stops on cgroup v1 unless its configuration allows it."""
        return self.minor_version >= (1, 35)

    @property
    def needs_crictl(self) -> bool:
        """Whether kubeadm calls ``crictl``; later ones speak CRI themselves."""
        return self.minor_version < (1, 31)

    @property
    def control_plane_taints(self) -> tuple[str, ...]:
        """Keys of the NoSchedule taints with which this kubeadm marks a control plane."""
        if self.minor_version < (1, 24):
            return ("node-role.kubernetes.io/master",)
        if self.minor_version == (1, 24):
            return ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
        return ("node-role.kubernetes.io/control-plane",)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{self.pre}" if self.pre else "")


_RANGE: Final = f"set kubernetes_version to one from {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"


def parse(text: Any) -> KubernetesVersion:
    """Read a full version, with or without a leading v. Whether it is supported is ``supported``'s matter.

    Raises InventoryError when it is no version, or leaves the patch release open.
    """
    found = _FORM.fullmatch(str(text).strip())
    if found is None:
        what = "is not a full version" if re.fullmatch(r"v?\d+\.\d+", str(text)) else "is not a version"
        raise InventoryError(
            f"Kubernetes version {str(text)!r} {what}",
            fix='write major.minor.patch in quotes, such as "1.31.4" (unquoted, YAML reads 1.30 as 1.3)',
        )
    major, minor, patch = (int(found[name]) for name in ("major", "minor", "patch"))
    return KubernetesVersion(major, minor, patch, found["pre"] or "")


def supported(text: Any) -> KubernetesVersion:
    """Read a version that nodestrap installs. Raises InventoryError for any other."""
    version = parse(text)
    if not OLDEST <= version.minor_version <= NEWEST:
        raise InventoryError(f"Kubernetes {version} is not supported by this nodestrap", fix=_RANGE)
    return version
