"""The variables an inventory may set, and whether a value fits.

Known are Ansible's connection variables, nodestrap's own (``variables.yml``) and every public variable of the
roles (``roles/*/meta/argument_specs.yml``, their single source of truth). Anything else is a mistake: Ansible
would ignore a misspelt variable, and the host would silently get the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from installer.cluster.ansible_variables import ANSIBLE_VARIABLES
from installer.content import content_dir
from installer.suggest import did_you_mean

Specs = dict[str, dict[str, Any]]

_BOOLEANS = {"true", "false", "yes", "no", "on", "off", "1", "0"}
_TYPE_NAMES = {"str": "a string", "bool": "true or false", "int": "a whole number", "float": "a number"}


def known_variables(roles_dir: Path | None = None) -> Specs:
    """Argument specs of every variable that is not Ansible's own, by name."""
    roles = roles_dir or content_dir("roles")
    specs: Specs = dict(_load(Path(__file__).with_name("variables.yml"))["options"])
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry_point in (_load(path).get("argument_specs") or {}).values():
            for name, spec in (entry_point.get("options") or {}).items():
                specs.setdefault(name, spec or {})
    return specs


def problems(values: Mapping[str, Any], specs: Specs, local: frozenset[str]) -> Iterator[str]:
    """What is wrong with one host's variables, a sentence each."""
    for name, value in values.items():
        if name in specs:
            yield from _misfits(name, value, specs[name])
        elif name not in ANSIBLE_VARIABLES and name not in local:
            hint = did_you_mean(name, [*specs, *ANSIBLE_VARIABLES])
            yield f"unknown variable {name!r}.{hint or ' (Your own? List it in nodestrap_local_variables.)'}"


def _misfits(name: str, value: Any, spec: Mapping[str, Any]) -> Iterator[str]:
    if value is None:
        return  # unset: the role's default applies
    expected = spec.get("type", "str")
    if not _fits(value, expected):
        what = _TYPE_NAMES.get(expected, f"a {expected}")
        yield f"{name} must be {what}, not {_shown(value, spec)}"
        return
    choices = spec.get("choices")
    if choices and value not in choices and str(value) not in map(str, choices):
        hint = did_you_mean(str(value), map(str, choices))
        yield f"{name} must be one of {', '.join(map(str, choices))}, not {_shown(value, spec)}.{hint}"
    if expected == "list" and isinstance(value, list):
        element = {"type": spec.get("elements", "raw"), "options": spec.get("options")}
        for index, item in enumerate(value):
            yield from _misfits(f"{name}[{index}]", item, element)
    if expected == "dict" and isinstance(value, dict) and spec.get("options"):
        yield from _members(name, value, spec["options"])


def _members(name: str, value: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    for key, item in value.items():
        if key in options:
            yield from _misfits(f"{name}.{key}", item, options[key] or {})
        else:
            yield f"unknown key {key!r} in {name}.{did_you_mean(key, options)}"
    for key, option in options.items():
        if (option or {}).get("required") and value.get(key) is None:
            yield f"{name} needs the key {key!r}"


def _fits(value: Any, expected: str) -> bool:
    """Whether Ansible would accept the value as this type (it converts scalars, so a quoted number is
    one)."""
    text = str(value).strip()
    if expected in ("raw", "json", "jsonarg"):
        return True
    if expected in ("str", "path"):
        return not isinstance(value, dict | list)
    if expected == "bool":
        return isinstance(value, bool) or text.lower() in _BOOLEANS
    if expected == "int":
        return not isinstance(value, bool | dict | list) and text.removeprefix("-").isdigit()
    if expected == "float":
        try:
            float(text)
        except ValueError:
            return False
        return not isinstance(value, bool)
    if expected == "list":
        return isinstance(value, list)
    if expected == "dict":
        return isinstance(value, dict)
    return True  # bits, bytes: left to Ansible


def _shown(value: Any, spec: Mapping[str, Any]) -> str:
    """The value for a message; never that of a secret."""
    return "the value given" if spec.get("no_log") else repr(value)


def _load(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load(path.read_text(), loader)
    return content
