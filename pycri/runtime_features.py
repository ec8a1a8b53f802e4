"""What an OCI runtime says it can do: ``<runtime> features`` (OCI runtime spec, features.md)."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycri import syscalls

log = logging.getLogger(__name__)

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Features:
    """Of one runtime on this kernel."""

    recursive_read_only: bool = False
    user_namespaces: bool = False
    idmapped_mounts: bool = False


class InstalledRuntime:
    """The runtime ``binary``, a path or a name on PATH; asked again when the file has changed."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self._seen: object = None
        self._features = Features()

    def features(self) -> Features:
        """None at all for a runtime that is missing or too old to say."""
        seen = self._signature()
        if seen != self._seen:
            self._seen = seen
            self._features = self._ask()
        return self._features

    def _signature(self) -> tuple[str, int, int] | None:
        path = shutil.which(self.binary)
        if path is None:
            return None
        try:
            info = os.stat(path)  # noqa: PTH116  # Path.stat costs more, and Status asks every few seconds
        except OSError:
            return None
        return path, info.st_mtime_ns, info.st_ino

    def _ask(self) -> Features:
        try:
            output = subprocess.run(
                [self.binary, "features"],
                capture_output=True,
                timeout=_TIMEOUT,
                check=True,
                stdin=subprocess.DEVNULL,
            ).stdout
            return parse(json.loads(output))
        except (OSError, subprocess.SubprocessError, ValueError, AttributeError, TypeError) as error:
            log.warning("%s does not tell its features, none is assumed: %s", self.binary, error)
            return Features()


def parse(document: Mapping[str, Any]) -> Features:
    """Read the document; what needs a newer kernel than this one is not there."""
    linux = document.get("linux") or {}
    options = document.get("mountOptions") or ()
    idmap = ((linux.get("mountExtensions") or {}).get("idmap") or {}).get("enabled", False)
    kernel = syscalls.has_mount_setattr()
    return Features(
        recursive_read_only=kernel and "rro" in options,
        user_namespaces="user" in (linux.get("namespaces") or ()),
        idmapped_mounts=kernel and bool(idmap),
    )
