"""What the doctor asks a host, answered in one go: sent there as source with its neighbours, run as root.

It must run on any Python from 3.6 on, with the standard library alone, and change nothing. It takes no
secret: of kubeconfigs only the certificates, never a key or a token.

Protocol: a JSON request line on stdin, a JSON answer line on stdout.
"""

import json
import sys
import time
from typing import Any, Dict  # noqa: UP035

from installer.doctor.host import endpoints, files, room, units
from installer.preflight import probe as preflight

# ruff: noqa: UP006 - Python 3.6


def main() -> None:
    sys.stdin.buffer.readline()
    answer: Dict[str, Any] = {"time": time.time(), "failed": {}}
    for gather in GATHERERS:
        try:
            answer.update(gather())
        except Exception as error:  # noqa: BLE001, PERF203 - reported by name; one must not hide the others
            name = gather.__name__ if gather.__name__ != "gather" else gather.__module__.rpartition(".")[2]
            answer["failed"][name] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


GATHERERS = (
    preflight.system,
    preflight.cgroups,
    preflight.memory,
    preflight.listeners,
    room.gather,
    units.gather,
    files.gather,
    endpoints.gather,
)

if __name__ == "__main__":
    main()
