"""Processes executed in running containers: made, awaited, and always deleted.

Used by ExecSync and by streaming exec. The names of its FIFOs say which process it is, so that one
whose pycri-io was killed is found and removed by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage

from pycri.containerd.anys import PROCESS_TYPE_URL
from pycri.errors import NotFound, PycriError, Unavailable
from pycri.io import fifo
from pycri.io.record import check_id
from pycri.io.session_kill import kill_session

if TYPE_CHECKING:
    from pycri.containerd.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")

_DISPOSE_SECONDS = 60.0
_NOWHERE = os.devnull


@dataclass(frozen=True)
class ExecProcess:
    """A started process; its output FIFOs are open for reading, non-blocking, and belong to the caller."""

    tasks: Tasks
    container_id: str
    exec_id: str
    pid: int
    readers: Mapping[str, int]  # "stdout", "stderr" -> descriptor
    stdin: int  # descriptor of the writing end, -1 without stdin
    exited: asyncio.Task[int]

    async def wait(self) -> int:
        """The exit code. Waits on through a restart of containerd; NotFound: nobody knows any more."""
        return await asyncio.shield(self.exited)

    async def resize(self, width: int, height: int) -> None:
        await self.tasks.resize_pty(self.container_id, width, height, self.exec_id)

    async def close_stdin(self) -> None:
        """The shim's own copy of the write end; the caller closes its own."""
        await self.tasks.close_stdin(self.container_id, self.exec_id)


class ExecRunner:
    """Makes processes and outlives them: their removal goes on after the request that made them."""

    def __init__(self, tasks: Tasks, directory: Path) -> None:
        self._tasks = tasks
        self._directory = directory
        self._background: set[asyncio.Task[None]] = set()

    def recover(self) -> int:
        """Removes what a killed pycri-io left running; returns how many. Goes on in the background."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        leftovers: dict[str, list[Path]] = {}
        for path in sorted(self._directory.iterdir()):
            leftovers.setdefault(path.stem, []).append(path)
        for name, paths in leftovers.items():
            self._spawn(self._dispose_leftover(name, paths))
        return len(leftovers)

    @asynccontextmanager
    async def process(
        self,
        container_id: str,
        spec: bytes,
        *,
        tty: bool = False,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
    ) -> AsyncIterator[ExecProcess]:
        """Starts an OCI process (JSON) in the container; on leaving, it is killed if it still runs.

        Raises what containerd says: NotFound without a running task, Unknown when the program cannot start.
        """
        check_id(container_id)
        exec_id = secrets.token_hex(16)
        wanted = {"stdin": stdin, "stdout": stdout, "stderr": stderr and not tty}
        # a plus sign is in no container id
        stem = f"{self._directory}/{container_id}+{exec_id}"
        paths = {name: f"{stem}.{name}" if on else "" for name, on in wanted.items()}
        fds: dict[str, int] = {}
        pid = 0
        exited: asyncio.Task[int] | None = None
        try:
            _open_fifos(paths, fds)
            message = AnyMessage(type_url=PROCESS_TYPE_URL, value=spec)
            # shielded: an exec that containerd makes after we have gone could not be found and deleted
            # the shim opens both outputs, and fails on an empty path; without a terminal it takes any file
            unread = {} if tty else {name: _NOWHERE for name in ("stdout", "stderr") if not wanted[name]}
            given = {**paths, **unread}
            await self._finish(self._tasks.exec(container_id, exec_id, message, terminal=tty, **given))
            # asked before the start, so that the answer is under way when the process ends
            exited = asyncio.ensure_future(self._wait(container_id, exec_id))
            pid = await self._finish(self._tasks.start(container_id, exec_id))
            readers = {name: fd for name, fd in fds.items() if name != "stdin"}
            stdin_fd = fds.get("stdin", -1)
            yield ExecProcess(self._tasks, container_id, exec_id, pid, readers, stdin_fd, exited)
        except BaseException:
            if not pid:
                for fd in fds.values():
                    os.close(fd)
            raise
        finally:
            if exited is not None:
                exited.add_done_callback(_seen)
                exited.cancel()
            self._spawn(self._dispose([*filter(None, paths.values())], container_id, exec_id, pid))

    async def close(self, timeout: float) -> None:
        """Waits up to ``timeout`` seconds for removals under way; the rest is left to the next pycri-io."""
        if self._background:
            _, late = await asyncio.wait(self._background, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _wait(self, container_id: str, exec_id: str) -> int:
        while True:
            try:
                return (await self._tasks.wait(container_id, exec_id)).exit_status
            except Unavailable:  # noqa: PERF203 - waits on each failure anyway
                await asyncio.sleep(0.2)

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` to its end even when the caller is cancelled; only then lets the cancel through."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=_DISPOSE_SECONDS)
            if task.done() and not task.cancelled():
                _seen(task)  # the cancel is what the caller learns
            raise

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _dispose_leftover(self, name: str, paths: list[Path]) -> None:
        container_id, _, exec_id = name.partition("+")
        try:
            pid = (await self._tasks.get(container_id, exec_id)).pid if exec_id else 0
        except NotFound:
            exec_id, pid = "", 0
        except PycriError as error:
            log.warning("exec %s of a previous pycri-io was not removed: %s", name, error)
            return
        if exec_id:
            await self._dispose(paths, container_id, exec_id, pid)
        else:
            _unlink(paths)

    async def _dispose(self, paths: Iterable[str | Path], container_id: str, exec_id: str, pid: int) -> None:
        """Kills and deletes until containerd knows the process no more."""
        deadline = asyncio.get_running_loop().time() + _DISPOSE_SECONDS
        delay = 0.01
        while True:
            try:
                await self._tasks.delete_exec(container_id, exec_id)
                break
            except NotFound:
                break
            except Unavailable as error:
                problem: PycriError = error
            except PycriError as error:  # it still runs (FailedPrecondition, Unknown in containerd 1.6)
                problem = error
                pid = pid or await self._pid(container_id, exec_id)
                await kill_exec(self._tasks, container_id, exec_id, pid)
            if asyncio.get_running_loop().time() > deadline:
                log.error("exec %s in container %s cannot be deleted: %s", exec_id, container_id, problem)
                return  # the FIFOs stay, for the next start to try again
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)
        _unlink(paths)

    async def _pid(self, container_id: str, exec_id: str) -> int:
        try:
            return (await self._tasks.get(container_id, exec_id)).pid
        except PycriError:
            return 0


async def kill_exec(tasks: Tasks, container_id: str, exec_id: str, pid: int) -> None:
    """SIGKILL to the process and to its session."""
    if pid:
        await asyncio.to_thread(kill_session, pid)
    try:
        await tasks.kill(container_id, signal.SIGKILL, exec_id=exec_id)
    except NotFound:
        return
    except PycriError as error:
        log.debug("kill of exec %s: %s", exec_id, error)


def _seen(task: asyncio.Task[Any]) -> None:
    """Takes note of a task's failure, which asyncio would complain of otherwise."""
    if not task.cancelled():
        task.exception()


def _open_fifos(paths: Mapping[str, str], fds: dict[str, int]) -> None:
    """Makes and opens them before containerd hears of them."""
    for name, path in paths.items():
        if path:
            fifo.make_fifo(Path(path))
            fds[name] = (fifo.open_writer if name == "stdin" else fifo.open_reader)(Path(path))


def _unlink(paths: Iterable[str | Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
