"""The connections that Ansible's ssh shares between tasks (ControlMaster)."""

from __future__ import annotations

import subprocess
from pathlib import Path


def end_masters(directory: Path) -> None:
    """End the masters whose sockets lie in ``directory`` now, rather than when their ControlPersist runs
    out."""
    for socket in directory.glob("*"):
        subprocess.run(
            ["ssh", "-F", "none", "-S", str(socket), "-O", "exit", "nodestrap"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,  # one that has gone already is as good as ended
        )
