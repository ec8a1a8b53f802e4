"""Signals to containers' first processes without asking containerd, its shim and runc to send them.

A pidfd stands for one process for ever: once that has ended, nobody else with the same number is hit.
"""

from __future__ import annotations

import os
import signal


class Processes:
    """pidfds of running containers, by container id."""

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}

    def watch(self, container_id: str, pid: int) -> None:
        """Remember the process, which must be known to live now. Without pidfds (Linux < 5.3): nothing."""
        self.forget(container_id)
        try:
            self._descriptors[container_id] = os.pidfd_open(pid)
        except OSError:
            return  # signals then go through containerd

    def forget(self, container_id: str) -> None:
        """The container has ended."""
        descriptor = self._descriptors.pop(container_id, None)
        if descriptor is not None:
            os.close(descriptor)

    def signal(self, container_id: str, number: int) -> bool:
        """Whether the signal was sent; False also when the process has ended or is not known."""
        descriptor = self._descriptors.get(container_id)
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, number)
        except OSError:
            return False
        return True

    def close(self) -> None:
        for container_id in list(self._descriptors):
            self.forget(container_id)
