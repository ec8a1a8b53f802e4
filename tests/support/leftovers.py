"""What a test host may leave on the machine, how to find it and how to remove it. Nothing by name pattern."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MNT_DETACH = 2


def need_root() -> None:
    assert os.geteuid() == 0, "this test runs real containers: run it as root"


def processes_naming(text: str) -> list[int]:
    """Pids of other processes that have ``text`` in their command line (a unique path of the test's own)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            if text.encode() in arguments:
                found.append(int(entry.name))
    return found


def kill_tree(pid: int) -> None:
    """SIGKILL a process after its descendants, and wait up to 10 s until all are gone."""
    doomed = [*_descendants(pid), pid]
    for each in doomed:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(_alive(each) for each in doomed) and time.monotonic() < deadline:
        time.sleep(0.02)


def _descendants(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _descendants(int(child))
            yield int(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def mounts_below(root: Path) -> list[str]:
    """Mount points below ``root``, the latest first."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point == str(root) or point.startswith(f"{root}/"):
            points.append(point)
    return points[::-1]


def unmount_below(root: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for point in mounts_below(root):
        libc.umount2(point.encode(), _MNT_DETACH)


def interfaces() -> list[str]:
    """Network interfaces of the host."""
    return [entry.name for entry in Path("/sys/class/net").iterdir()]


def free_subnet() -> str:
    """A /24 below 10.128.0.0/9 that no route of this machine covers at the moment."""
    listed = subprocess.run(["ip", "-o", "-4", "route"], check=True, capture_output=True, text=True).stdout
    taken = []
    for line in listed.splitlines():
        words = line.split()
        destination = words[1] if words[0] in ("unreachable", "blackhole", "prohibit") else words[0]
        if destination != "default":
            taken.append(ipaddress.ip_network(destination, strict=False))
    while True:
        subnet = ipaddress.ip_network(f"10.{random.randrange(128, 256)}.{random.randrange(256)}.0/24")
        if not any(subnet.overlaps(other) for other in taken):
            return str(subnet)
