"""The services of a node and the last lines of their journals."""

import re
import subprocess
import time
from typing import Any, Dict, List  # noqa: UP035 - Python 3.6

# ruff: noqa: UP006 - Python 3.6

UNITS = (
    "containerd.service",
    "pycri.service",
    "pycri-io.service",
    "kubelet.service",
    "nodestrap-pod-network.service",
)
PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestampMonotonic"
READ, LINES = 4000, 150  # of each journal: looked at, and kept
MINUTES = 30  # what is older tells of another trouble
# klog's informational lines, and what Go prints of its goroutines at log.Fatal and panics.
NOISE = re.compile(r"I\d{4} |goroutine \d+ \[|created by |\s|[^\s(]+\(.*\)$|$")


def gather() -> Dict[str, Any]:
    return {"units": states(), "journals": {unit: journal(unit) for unit in UNITS}}


def states() -> Dict[str, Any]:
    """Each unit's properties, as systemctl names them; ``active_seconds`` is how long it has been active."""
    command = ["systemctl", "show", "-p", PROPERTIES, *UNITS]
    text = subprocess.check_output(command).decode(errors="replace")
    found: Dict[str, Any] = {}
    for block in text.split("\n\n"):
        values: Dict[str, Any] = dict(line.partition("=")[::2] for line in block.strip().splitlines())
        if values.get("LoadState") == "loaded":
            entered = int(values.pop("ActiveEnterTimestampMonotonic", "0") or 0) / 1e6
            active = values["ActiveState"] == "active" and entered
            values["active_seconds"] = round(time.monotonic() - entered, 1) if active else None
            found[values.pop("Id")] = values
    return found


def journal(unit: str) -> List[List[Any]]:
    """``[seconds since the epoch, message]`` of the last lines, oldest first."""
    command = ["journalctl", "-q", "--no-pager", "-b", "-o", "short-unix", "-n", str(READ)]
    command += ["-u", unit]  # no --since: some releases then count -n from there on
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    lines: List[List[Any]] = []
    for line in done.stdout.decode(errors="replace").splitlines():
        stamp, _, rest = line.partition(" ")
        try:
            seconds = float(stamp)
        except ValueError:  # a further line of the message before
            if lines and len(lines[-1][1]) < 2000:
                lines[-1][1] += "\n" + line.strip()
            continue
        text = rest.partition(": ")[2]
        if seconds > time.time() - MINUTES * 60 and not NOISE.match(text):
            lines.append([seconds, text[:2000]])
    return lines[-LINES:]
