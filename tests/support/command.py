"""The ``nodestrap`` command as its users run it, with a state directory and inventories of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Nodestrap:
    """``nodestrap("up", "-i", ...)``; the caches stay the user's."""

    home: Path

    def __call__(self, *words: str, code: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run it; AssertionError with its output unless it ends with ``code``."""
        done = subprocess.run(
            [sys.executable, "-m", "installer.cli", *words],
            env={**os.environ, "XDG_STATE_HOME": str(self.home / "state"), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        """The document that ``--json`` prints."""
        return json.loads(self(*words, "--json", code=code).stdout)

    def inventory(self, lab: str) -> Path:
        return self.home / "inventories" / lab

    def lab_up(self, lab: str, *words: str) -> Path:
        """Boot a lab; returns its inventory."""
        self("lab", "up", "--name", lab, "--inventory", str(self.inventory(lab)), *words, timeout=900)
        return self.inventory(lab)

    def lab_down(self, lab: str) -> None:
        self("lab", "down", "--name", lab)

    def on(self, lab: str, host: str, command: str) -> str:
        """stdout of a shell command on a lab host."""
        return self("lab", "exec", "--name", lab, host, "--", "sh", "-c", command).stdout
