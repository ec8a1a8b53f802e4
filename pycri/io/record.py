"""What pycri-io must know of a container after its own restart, as a small file beside the FIFOs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pycri.errors import InvalidArgument

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_NAME = "stdio.json"


@dataclass(frozen=True)
class StdioRecord:
    """A container's standard streams, as OpenContainer asked for them."""

    id: str
    log_path: str = ""
    log_directory: str = ""
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    stdin_closed: bool = False  # the write end is gone for good, as stdin_once wants it

    def with_stdin_closed(self) -> StdioRecord:
        return replace(self, stdin_closed=True)


def check_id(value: str) -> str:
    """An id that is safe as a file name. Raises InvalidArgument."""
    if not _ID.fullmatch(value):
        raise InvalidArgument(f"{value!r} is not a container id: letters, digits, '_', '.', '-', at most 255")
    return value


def save(directory: Path, record: StdioRecord) -> None:
    """Atomic; not synced, since the directory is on tmpfs."""
    scratch = directory / (_NAME + ".new")
    scratch.write_text(json.dumps(asdict(record)), encoding="utf-8")
    scratch.replace(directory / _NAME)


def load(directory: Path) -> StdioRecord:
    """Raises OSError or ValueError: no record, or not one of ours. Fields of a newer version are ignored."""
    data = json.loads((directory / _NAME).read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("id") != directory.name:
        raise ValueError(f"{directory / _NAME} is not the record of {directory.name}")
    known = {field.name for field in fields(StdioRecord)}
    return StdioRecord(**{name: value for name, value in data.items() if name in known})
