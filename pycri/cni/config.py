"""The pods' network configuration: the first file of ``/etc/cni/net.d`` by name, read anew when it changes.

The format is the CNI specification's, section 1 (https://www.cni.dev/docs/spec/). There is no watch to lose
events of: the directory is a handful of files, and looking at their times costs microseconds per use.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycri import errors

_SUFFIXES = (".conflist", ".conf", ".json")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Conflist:
    """A network: plugins to be called in order. ``plugins`` are the objects as written."""

    name: str
    version: str
    plugins: tuple[Mapping[str, Any], ...]
    source: str = ""  # file it came from
    versions: tuple[str, ...] = ()  # "cniVersions", of spec 1.1
    disable_check: bool = False
    disable_gc: bool = False

    def dump(self) -> str:
        """As JSON, for the sandbox's record: DEL must use what ADD used."""
        return json.dumps(
            {
                "cniVersion": self.version,
                "cniVersions": list(self.versions),
                "name": self.name,
                "disableCheck": self.disable_check,
                "disableGC": self.disable_gc,
                "plugins": [dict(plugin) for plugin in self.plugins],
            },
            separators=(",", ":"),
        )


class ConfDirectory:
    """The directory ``path``; ``current`` is cheap enough to be asked every time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: object = None
        self._conflist: Conflist | None = None
        self._problem = ""

    def current(self) -> Conflist:
        """The network in force. Raises FailedPrecondition: none yet, or the file in force is wrong."""
        seen = self._signature()
        if seen != self._seen:
            self._seen = seen
            self._load([name for name, *_ in seen])
        if self._conflist is None:
            raise errors.FailedPrecondition(self._problem)
        return self._conflist

    def _signature(self) -> tuple[tuple[str, int, int, int], ...]:
        try:
            with os.scandir(self.path) as entries:
                found = [
                    (entry.name, stat.st_mtime_ns, stat.st_size, stat.st_ino)
                    for entry in entries
                    if entry.name.endswith(_SUFFIXES) and not entry.name.startswith(".")
                    for stat in (entry.stat(),)
                ]
        except OSError:
            return ()
        return tuple(sorted(found))

    def _load(self, names: list[str]) -> None:
        self._conflist = None
        if not names:
            self._problem = f"no network configuration in {self.path}: waiting for a .conflist file there"
            return
        path = Path(self.path, names[0])
        try:
            self._conflist = parse(path.read_bytes(), str(path))
        except (OSError, ValueError) as error:
            self._problem = f"network configuration {path} cannot be used: {error}"


def parse(text: bytes | str, source: str = "") -> Conflist:
    """A conflist, or a lone plugin's configuration (taken as a list of one). Raises ValueError."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")
    if "plugins" not in data and "type" in data:
        data = {**{key: data[key] for key in ("cniVersion", "name") if key in data}, "plugins": [data]}
    name, plugins = data.get("name"), data.get("plugins")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f'"name" must be letters, digits, "_", "." or "-", not {name!r}')
    if not isinstance(plugins, list) or not plugins:
        raise ValueError('"plugins" must be a list of at least one plugin')
    version = data.get("cniVersion", "0.2.0")
    versions = data.get("cniVersions", [])
    for item in (version, *(versions if isinstance(versions, list) else [None])):
        if not isinstance(item, str) or not _VERSION.fullmatch(item):
            raise ValueError(f'"cniVersion" and "cniVersions" must be versions such as "1.0.0", not {item!r}')
    return Conflist(
        name=name,
        version=version,
        plugins=tuple(_plugin(plugin, number) for number, plugin in enumerate(plugins)),
        source=source,
        versions=tuple(versions),
        disable_check=_flag(data, "disableCheck"),
        disable_gc=_flag(data, "disableGC"),
    )


def _plugin(plugin: object, number: int) -> Mapping[str, Any]:
    if not isinstance(plugin, dict):
        raise ValueError(f"plugin {number} is not an object")
    kind = plugin.get("type")
    # A path here would run any program of the host as root (CVE-2021-20206).
    if not isinstance(kind, str) or not kind or "/" in kind or "\0" in kind or kind in (".", ".."):
        raise ValueError(f'"type" of plugin {number} must be a bare file name, not {kind!r}')
    capabilities = plugin.get("capabilities", {})
    if not isinstance(capabilities, dict):
        raise ValueError(f'"capabilities" of plugin {number} must be an object')
    return plugin


def _flag(data: Mapping[str, Any], key: str) -> bool:
    """A boolean; the specification once wrote it as a string, and files with it exist."""
    value = data.get(key, False)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        raise ValueError(f'"{key}" must be true or false, not {value!r}')
    return value
