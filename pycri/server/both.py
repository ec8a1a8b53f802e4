"""``pycri serve`` on a developer's machine: pycri-io as a child, the control process here."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from pycri.config import Config
from pycri.server import app

log = logging.getLogger(__name__)

_STOP_TIMEOUT = 15.0


async def main(config: Config, config_path: Path | None) -> int:
    """Serve until SIGTERM or SIGINT; also if pycri-io ends, because nothing works without it."""
    arguments = ["--config", str(config_path)] if config_path else []
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "pycri", *arguments, "io")
    serving = asyncio.ensure_future(app.main(config))
    ended = asyncio.ensure_future(child.wait())
    try:
        await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            log.error("pycri-io ended with status %s", child.returncode)
            serving.cancel()
            await asyncio.wait((serving,))
            return 1
        serving.result()
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), _STOP_TIMEOUT)
            except asyncio.TimeoutError:
                child.kill()
                await child.wait()
    return 0
