"""``pycri ctl`` as a program: started under either of its names, as a node's administrator starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PROGRAM = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from pycri.cli import main
sys.exit(main())
"""


class Ctl:
    """``crictl("pods", "-q")`` runs the command against one socket and returns what became of it."""

    def __init__(self, directory: Path, socket: str) -> None:
        self.socket = socket
        program = directory / "pycri"
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        self.program = directory / "crictl"
        self.program.symlink_to("pycri")

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        return [str(self.program), "-r", self.socket, *arguments]

    def __call__(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
            env=_environment(),
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def text(self, *arguments: str) -> str:
        """Standard output of a command that succeeds and says nothing on standard error."""
        done = self(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


def _environment() -> dict[str, str]:
    """Without what would point the command to another endpoint, or have Python lose output."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONTAINER_R", "IMAGE_S", "PYTHONUNB"))
    }
