"""What fields each configuration document has in each version, and whether a document keeps to them.

The tables (``*_types.yml``) hold, by type and field, the field's type and the range of versions that have
it: ``bool``, ``bool 1.25-``, ``duration -1.25``; a list of those where the type changed. Ranges are of the
Kubernetes release for the kubelet and kube-proxy, whose API version stays while fields come and go, and of
the API version for kubeadm. ``[]T`` is a list and ``map[string]T`` a mapping; a capital names another type;
``object`` is a mapping that is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from installer.kubeadm.version import KubernetesVersion
from installer.suggest import did_you_mean

GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "ClusterConfiguration": ("kubeadm", "kubeadm.k8s.io"),
    "InitConfiguration": ("kubeadm", "kubeadm.k8s.io"),
    "JoinConfiguration": ("kubeadm", "kubeadm.k8s.io"),
    "KubeletConfiguration": ("kubelet", "kubelet.config.k8s.io/v1beta1"),
    "KubeProxyConfiguration": ("kube_proxy", "kubeproxy.config.k8s.io/v1alpha1"),
}
# Go's time.ParseDuration, which reads metav1.Duration.
_DURATION: Final = re.compile(
    r"0|-?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*"
)
_SCALARS: Final[Mapping[str, str]] = {
    "string": "a string (in quotes)",
    "bool": "true or false",
    "int": "a whole number",
    "number": "a number",
    "duration": "a duration such as 4m0s",
    "object": "a mapping",
}


def api_version(kind: str, version: KubernetesVersion) -> str:
    """What stands in ``apiVersion`` of a document of this kind."""
    group = GROUPS[kind][1]
    return group if "/" in group else f"{group}/{version.config_api}"


def problems(kind: str, document: Mapping[str, Any], version: KubernetesVersion) -> Iterator[str]:
    """What in a document (without apiVersion and kind) this version would not read, a sentence each."""
    yield from _Checker(kind, version).fields(kind, kind, document)


class _Checker:
    """One table at one version."""

    def __init__(self, kind: str, version: KubernetesVersion) -> None:
        table, group = GROUPS[kind]
        self._types = _table(table)
        self._version = version
        by_release = "/" in group
        self._at: object = version.minor_version if by_release else version.config_api
        self._of = f"Kubernetes {version}" if by_release else f"{group}/{version.config_api}"

    def fields(self, where: str, name: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{where} must be a mapping, not {value!r}"
            return
        known = self._types[name]
        for field, item in value.items():
            place = f"{where}.{field}"
            if field not in known:
                yield f"{place}: {self._of} has no such field.{did_you_mean(str(field), list(known))}"
            elif (kind := self._kind(known[field])) is None:
                ranges = ", ".join(_span(entry) for entry in _entries(known[field]))
                yield f"{place}: {self._of} has no such field, only {ranges}"
            else:
                yield from self._value(place, kind, item)

    def _kind(self, spec: str | list[str]) -> str | None:
        """The field's type at this version; None where it does not exist."""
        for entry in _entries(spec):
            kind, _, span = entry.partition(" ")
            first, _, last = span.partition("-")
            if (not first or _bound(first) <= self._at) and (not last or self._at <= _bound(last)):  # type: ignore[operator]
                return kind
        return None

    def _value(self, where: str, kind: str, value: Any) -> Iterator[str]:
        if kind.startswith("[]"):
            if not isinstance(value, list):
                yield f"{where} must be a list, not {value!r}"
                return
            for index, item in enumerate(value):
                yield from self._value(f"{where}[{index}]", kind[2:], item)
        elif kind.startswith("map[string]"):
            if not isinstance(value, Mapping):
                yield f"{where} must be a mapping, not {value!r}"
                return
            for key, item in value.items():
                if not isinstance(key, str):
                    yield f"{where}: the key {key!r} must be a string (in quotes)"
                yield from self._value(f"{where}.{key}", kind.removeprefix("map[string]"), item)
        elif kind in _SCALARS:
            if not _fits(kind, value):
                yield f"{where} must be {_SCALARS[kind]}, not {value!r}"
        else:
            yield from self.fields(where, kind, value)


def _fits(kind: str, value: Any) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "duration":
        return isinstance(value, str) and _DURATION.fullmatch(value) is not None
    if kind == "object":
        return isinstance(value, Mapping)
    return isinstance(value, str)


def _entries(spec: str | list[str]) -> list[str]:
    return [spec] if isinstance(spec, str) else spec


def _bound(text: str) -> tuple[int, ...] | str:
    """Releases compare as numbers; API versions, all v1beta<digit>, as text."""
    return text if text.startswith("v") else tuple(int(part) for part in text.split("."))


def _span(entry: str) -> str:
    first, _, last = entry.partition(" ")[2].partition("-")
    if first and last:
        return f"from {first} to {last}"
    return f"since {first}" if first else f"until {last}"


@cache
def _table(name: str) -> Mapping[str, Mapping[str, str | list[str]]]:
    path = Path(__file__).with_name(f"{name}_types.yml")
    types: dict[str, dict[str, str | list[str]]] = yaml.safe_load(path.read_text(encoding="utf-8"))["types"]
    return types
