"""Container Device Interface: vendors' device descriptions applied to an OCI spec (CRI CDIDevice).

Reads the JSON specs of /etc/cdi and /var/run/cdi, the second winning
(https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md). A node has no YAML parser: YAML
specs are named in the error when a device is not found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pycri import errors
from pycri.container.spec.devices import host_node

DIRECTORIES = (Path("/etc/cdi"), Path("/var/run/cdi"))
_NAME = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9_.-]*/[a-zA-Z0-9][a-zA-Z0-9_.-]*)=([a-zA-Z0-9][a-zA-Z0-9_.:-]*)")
_MAX_SPEC_BYTES = 4 << 20


def apply(spec: dict[str, Any], names: Sequence[str], directories: Iterable[Path] = DIRECTORIES) -> None:
    """Edit ``spec`` for the devices ``names`` (``vendor.com/class=device``).

    Raises InvalidArgument: a malformed name, a device nobody describes, a description that cannot be used.
    """
    found, unread = _load(directories)
    applied: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise errors.InvalidArgument(f'"{name}" is not a CDI device name (vendor.com/class=device)')
        if name not in found:
            hint = f"; not read, because they are YAML: {', '.join(unread)}" if unread else ""
            raise errors.InvalidArgument(
                f'CDI device "{name}" is described by no JSON file in '
                f"{' or '.join(str(path) for path in directories)}{hint}"
            )
        source, common, own = found[name]
        try:
            if source not in applied:  # a kind's common edits are made once
                _edit(spec, common)
                applied.add(source)
            _edit(spec, own)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise errors.InvalidArgument(
                f'CDI device "{name}" in {source} cannot be used: {error!r}'
            ) from error


_Described = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def _load(directories: Iterable[Path]) -> tuple[dict[str, _Described], list[str]]:
    """Every described device, and the files that could not be read for being YAML."""
    found: dict[str, _Described] = {}
    unread = []
    for directory in directories:
        for path in sorted(directory.glob("*")) if directory.is_dir() else ():
            if path.suffix in (".yaml", ".yml"):
                unread.append(str(path))
            elif path.suffix == ".json":
                found.update(_devices(path))
    return found, unread


def _devices(path: Path) -> dict[str, _Described]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MAX_SPEC_BYTES))
        kind, common = document["kind"], document.get("containerEdits") or {}
        return {
            f"{kind}={device['name']}": (str(path), common, device.get("containerEdits") or {})
            for device in document["devices"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.InvalidArgument(f"CDI spec {path} cannot be used: {error!r}") from error


def _edit(spec: dict[str, Any], edits: Mapping[str, Any]) -> None:
    """The specification's containerEdits."""
    process, linux = spec["process"], spec["linux"]
    for setting in edits.get("env") or ():
        name = setting.partition("=")[0]
        process["env"] = [old for old in process["env"] if old.partition("=")[0] != name] + [setting]
    for device in edits.get("deviceNodes") or ():
        _add_device(linux, device)
    for mount in edits.get("mounts") or ():
        spec["mounts"].append(
            {
                "destination": _absolute(mount["containerPath"]),
                "type": mount.get("type") or "bind",
                "source": _absolute(mount["hostPath"]),
                "options": [*(mount.get("options") or ("rbind", "ro"))],
            }
        )
    for hook in edits.get("hooks") or ():
        wanted = {key: hook[key] for key in ("path", "args", "env", "timeout") if hook.get(key)}
        _absolute(wanted["path"])
        spec.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(wanted)
    groups = [group for group in edits.get("additionalGids") or () if isinstance(group, int) and group > 0]
    user = process["user"]
    user["additionalGids"] = sorted({*user.get("additionalGids", ()), *groups})


def _add_device(linux: dict[str, Any], device: Mapping[str, Any]) -> None:
    path = _absolute(device["path"])
    node = host_node(_absolute(device.get("hostPath") or path), path) or {}
    node |= {
        key: device[key] for key in ("type", "major", "minor", "fileMode", "uid", "gid") if key in device
    }
    if not {"type", "major", "minor"} <= node.keys():
        raise ValueError(f"{device.get('hostPath') or path} is not a device on this host")
    linux["devices"] = [old for old in linux.get("devices", ()) if old["path"] != path] + [
        {"path": path, **{key: value for key, value in node.items() if key != "path"}}
    ]
    access = device.get("permissions") or "rwm"
    if not re.fullmatch("[rwm]{1,3}", access):
        raise ValueError(f'permissions "{access}" are not of "rwm"')
    rule = {"allow": True, "type": node["type"], "major": node["major"], "minor": node["minor"]}
    linux["resources"].setdefault("devices", []).append({**rule, "access": access})


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"{path!r} must be an absolute path")
    return path
