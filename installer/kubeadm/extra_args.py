"""Extra arguments of components: a mapping until v1beta3, a list of names and values from v1beta4 on.

Between reading and writing they are mappings everywhere, so that an override reaches a single flag; a flag
that is given more than once, which v1beta4 allows, has a list for its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from installer.kubeadm.version import KubernetesVersion

_FIELDS: Final = frozenset({"extraArgs", "kubeletExtraArgs"})


def as_mappings(document: Any) -> Any:
    """A copy of the document in which extra arguments are mappings, however they were written."""
    if isinstance(document, Mapping):
        return {
            key: _mapping(value) if key in _FIELDS and isinstance(value, list) else as_mappings(value)
            for key, value in document.items()
        }
    return document


def in_form_of(document: Any, version: KubernetesVersion) -> Any:
    """A copy in which extra arguments have the form that this version's kubeadm reads."""
    if isinstance(document, Mapping):
        return {
            key: _list(value)
            if key in _FIELDS and isinstance(value, Mapping) and version.config_api >= "v1beta4"
            else in_form_of(value, version)
            for key, value in document.items()
        }
    return document


def _mapping(arguments: list[Any]) -> Any:
    """From ``[{name: v, value: "2"}]``; what is not of that form stays, for the type check to name it."""
    result: dict[str, Any] = {}
    for argument in arguments:
        if not (isinstance(argument, Mapping) and set(argument) == {"name", "value"}):
            return arguments
        name, value = argument["name"], argument["value"]
        if name in result:
            earlier = result[name]
            result[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            result[name] = value
    return result


def _list(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": value}
        for name, values in arguments.items()
        for value in (values if isinstance(values, list) else [values])
    ]
