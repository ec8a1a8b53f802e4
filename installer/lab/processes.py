"""Long-lived processes of a lab: started detached, remembered by pid and start time, ended by pid.

A pid alone is not an identity: by the time a lab is taken down (perhaps after a reboot) the number may
belong to somebody else. The start time in clock ticks since boot, together with the boot id, is.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """One process, for as long as this boot lasts."""

    pid: int
    started: int
    """Clock ticks after boot, field 22 of proc_pid_stat(5)."""
    boot: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie has ended)."""
        return _identify(self.pid) == self

    def save(self, path: Path) -> None:
        """Write the identity to `path`, atomically."""
        scratch = path.with_name(path.name + ".new")
        scratch.write_text(json.dumps(asdict(self)))
        scratch.replace(path)

    @classmethod
    def load(cls, path: Path) -> ProcessId | None:
        """The identity in `path`; None when there is none or it was cut short by a crash."""
        try:
            raw = json.loads(path.read_text())
            return cls(int(raw["pid"]), int(raw["started"]), str(raw["boot"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def find(variable: str, value: str) -> list[tuple[ProcessId, list[str]]]:
    """Processes that were started with `variable` set to `value` in their environment, and their argv."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            argv = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:  # it ended meanwhile, or belongs to another user
            continue
        identity = _identify(int(entry.name))
        if identity is not None and f"{variable}={value}".encode() in environment:
            found.append((identity, [word.decode(errors="replace") for word in argv]))
    return found


def spawn(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> ProcessId:
    """Start `argv` (argv[0] an absolute path) in a session of its own, output appended to `log`.

    The process outlives its parent. `pass_fds` keep their numbers; whatever else the caller has open, such as
    the lock of a script around it, is not handed on to a process that would hold it for days.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        *((os.POSIX_SPAWN_DUP2, fd, fd) for fd in pass_fds),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable() if fd > 2 and fd not in pass_fds),
    ]
    environment = dict(os.environ if env is None else env)
    pid = os.posix_spawn(argv[0], list(argv), environment, file_actions=actions, setsid=True)
    if environment:
        _await_program(pid)
    identity = _identify(pid)
    if identity is None:  # ended already: its start time no longer matters, its number is still ours to reap
        return ProcessId(pid, -1, "")
    return identity


def _await_program(pid: int) -> None:
    """Return when `find` sees the process: posix_spawn returns a moment before its environment is there."""
    while _identify(pid) is not None:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/environ").read_bytes():
                return
        time.sleep(0.001)


def _inheritable() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with contextlib.suppress(OSError):  # the listing's own
            if os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def stop(process: ProcessId, *, signals: Sequence[tuple[int, float]] | None = None) -> bool:
    """End `process`: each (signal, seconds to wait) in turn until it is gone; False if it outlives all."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        # The check comes after the handle: from here on the number cannot be given to another process.
        if not process.alive():
            _reap(process.pid)
            return True
        for number, seconds in signals or ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            try:
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                break
            if select.select([handle], [], [], seconds)[0]:
                break
        else:
            return False
        _reap(process.pid)
        return True
    finally:
        os.close(handle)


def _identify(pid: int) -> ProcessId | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name, in parentheses, may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return ProcessId(pid, int(fields[19]), _BOOT_ID.read_text().strip())


def _reap(pid: int) -> None:
    """Collect our own child's status; somebody else's child is init's business."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
