"""Show where images and containers' layers are stored, and how much of it they take."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output import human
from pycri.ctl.output.jsonable import jsonable
from pycri.ctl.output.show import add_output, show_statuses


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    add_output(parser, "json", "json", "yaml", "table")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    answer = client.call("ImageFsInfo", cri.ImageFsInfoRequest())
    if chosen.output == "table":
        print(_table("Container", answer.container_filesystems), end="")
        print(_table("Image", answer.image_filesystems), end="")
    else:
        show_statuses([{"status": jsonable(answer)}], chosen.output)


def _table(label: str, filesystems: Iterable[cri.FilesystemUsage]) -> str:
    lines = [f"{label} Filesystem "]
    for index, usage in enumerate(filesystems):
        lines += [
            f"TimeStamp[{index}]: {usage.timestamp}",
            f"Disk[{index}]: {human.size(usage.used_bytes.value)}",
            f"Inodes[{index}]: {usage.inodes_used.value}",
            f"Mountpoint[{index}]: {usage.fs_id.mountpoint}",
        ]
    return "".join(f"{line}\n" for line in lines)
