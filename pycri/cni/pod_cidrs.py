"""The node's pod CIDRs, as the kubelet hands them over (UpdateRuntimeConfig), kept for the next start."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any

from pycri import errors


class PodCidrs:
    """``path`` keeps them; without one they are forgotten at the end."""

    def __init__(self, path: str = "") -> None:
        self._path = path
        self.ranges: list[Any] = []
        if path:
            try:
                self.ranges = _ranges(Path(path).read_text())
            except (OSError, errors.InvalidArgument):
                self.ranges = []  # none yet, or written by nobody we know

    def set(self, text: str) -> None:
        """One CIDR of each address family, separated by commas; empty changes nothing (as the kubelet does).

        Raises InvalidArgument, OSError.
        """
        if not text.strip():
            return
        ranges = _ranges(text)
        if ranges != self.ranges and self._path:
            new = f"{self._path}.new"
            Path(new).write_text(text)
            os.replace(new, self._path)  # noqa: PTH105
        self.ranges = ranges


def _ranges(text: str) -> list[Any]:
    """The value of the capability ipRanges: a list of range sets, one for each family."""
    try:
        networks = [ipaddress.ip_network(word.strip(), strict=False) for word in text.split(",")]
    except ValueError as error:
        raise errors.InvalidArgument(f'the pod CIDR "{text}" is none: {error}') from None
    return [[{"subnet": str(network)}] for network in networks]
