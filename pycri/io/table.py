"""All containers whose streams this process holds."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from pycri.errors import AlreadyExists, InvalidArgument, NotFound
from pycri.io import notify, record
from pycri.io.container import ContainerStreams
from pycri.io.record import StdioRecord

log = logging.getLogger(__name__)


class ContainerTable:
    """One directory below ``directory`` for each container."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._containers: dict[str, ContainerStreams] = {}

    def recover(self, stored: MutableMapping[str, int]) -> int:
        """Takes up the streams of the previous process and returns how many; then closes unknown fds."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in sorted(self._directory.iterdir()):
            try:
                wanted = record.load(directory)
            except (OSError, ValueError, TypeError) as error:
                log.warning("removing %s, which has no usable record: %s", directory, error)
                shutil.rmtree(directory, ignore_errors=True)
                continue
            try:
                self._containers[wanted.id] = ContainerStreams(directory, wanted, stored)
            except (OSError, InvalidArgument) as error:
                log.error("container %s has lost its streams until it is restarted: %s", wanted.id, error)
        for name, fd in stored.items():
            os.close(fd)
            notify.forget_fds(name)
        stored.clear()
        return len(self._containers)

    def open(self, wanted: StdioRecord) -> ContainerStreams:
        """Raises InvalidArgument, AlreadyExists (the id is open with other properties) or OSError."""
        record.check_id(wanted.id)
        present = self._containers.get(wanted.id)
        if present is None:
            present = ContainerStreams(self._directory / wanted.id, wanted)
            self._containers[wanted.id] = present
        elif replace(present.record, stdin_closed=False) != wanted:
            raise AlreadyExists(
                f"the streams of container {wanted.id} are open as {present.record}, not as {wanted}; "
                "close them first"
            )
        else:
            present.restart_ended()
        return present

    def get(self, container_id: str) -> ContainerStreams:
        """Raises NotFound."""
        try:
            return self._containers[container_id]
        except KeyError:
            raise NotFound(f"pycri-io holds no streams of container {container_id}") from None

    def find(self, container_id: str) -> ContainerStreams | None:
        return self._containers.get(container_id)

    def close(self, container_id: str) -> None:
        """Unknown ids succeed."""
        present = self._containers.pop(container_id, None)
        if present is not None:
            present.close()

    def ids(self) -> list[str]:
        return sorted(self._containers)

    def suspend(self) -> None:
        """Before this process ends: no line is lost, the containers block at most until the next one."""
        for streams in self._containers.values():
            streams.suspend()
        self._containers.clear()
