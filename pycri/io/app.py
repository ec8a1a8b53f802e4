"""pycri-io: the process that owns every container's standard streams.

Containers may be blocked on full pipes while it starts. So the FIFOs come first, with a handful of modules;
everything that speaks gRPC or HTTP is imported in a thread while output flows again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pycri.errors import AlreadyExists
from pycri.io.notify import notify, take_stored_fds
from pycri.io.priority import urgent
from pycri.io.table import ContainerTable

if TYPE_CHECKING:
    from pycri.config import Config

log = logging.getLogger(__name__)


async def main(config: Config) -> None:
    """Serves until SIGTERM or SIGINT; then no line that a container wrote is lost.

    Raises AlreadyExists when another pycri-io serves the same run directory.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with urgent() if config.io_priority == "realtime" else nullcontext():
        async with serve(config):
            notify("READY=1")
            await stop.wait()
            notify("STOPPING=1")


@asynccontextmanager
async def serve(config: Config) -> AsyncIterator[None]:
    """The daemon without its signals, while the block runs."""
    run = Path(config.run)
    run.mkdir(mode=0o755, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(run / "io.lock"))
        containers = ContainerTable(run / "io")
        stack.callback(containers.suspend)
        taken = containers.recover(take_stored_fds())
        log.info("the streams of %d containers are taken up", taken)
        await asyncio.to_thread(_import_boundary)
        from pycri.io.boundary import serve_boundary

        await stack.enter_async_context(serve_boundary(config, containers))
        yield


def _import_boundary() -> None:
    import pycri.io.boundary  # noqa: F401 - only the import's time matters


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two processes on the same FIFOs would each get half of the output."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyExists(f"another pycri-io serves {path.parent}; stop it first") from None
        yield
