"""pycri with a failure at a chosen step: ``python -m tests.support.injected ARM_FILE [pycri's arguments]``.

Write ``before|after STEP error|kill`` into the file: the next time the step is reached it fails once, with
an error, or by SIGKILL to the whole process. STEPS names the steps of RunPodSandbox.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycri import cli, errors
from pycri.cni import Network, netns
from pycri.containerd.containers import Containers
from pycri.containerd.snapshots import Snapshots
from pycri.containerd.tasks import Tasks
from pycri.images import ImageService
from pycri.sandbox import files, user_namespace
from pycri.store import Store

STEPS: dict[str, tuple[Any, str]] = {
    "image": (ImageService, "ensure_sandbox_image"),
    "record": (Store, "put"),
    "files": (files, "create"),
    "namespace": (netns, "create"),
    "snapshot": (Snapshots, "prepare"),
    "container": (Containers, "create"),
    "network": (Network, "attach"),
    "task": (Tasks, "create"),
    "start": (Tasks, "start"),
}


# Steps of pods with a user namespace only.
USER_NAMESPACE_STEPS: dict[str, tuple[Any, str]] = {
    "user namespace": (user_namespace, "create"),
    "copy": (Snapshots, "commit"),
}


def main() -> int:
    """Patch every step, then be pycri."""
    arm = Path(sys.argv[1])
    for step, (owner, name) in (STEPS | USER_NAMESPACE_STEPS).items():
        wrapped = (_sync if step == "files" else _async)(getattr(owner, name), step, arm)
        setattr(owner, name, wrapped)
    return cli.main(sys.argv[2:])


def _async(original: Callable[..., Any], step: str, arm: Path) -> Callable[..., Any]:
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        _fail(arm, f"before {step}")
        result = await original(*arguments, **named)
        _fail(arm, f"after {step}")
        return result

    return wrapped


def _sync(original: Callable[..., Any], step: str, arm: Path) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        _fail(arm, f"before {step}")
        result = original(*arguments, **named)
        _fail(arm, f"after {step}")
        return result

    return wrapped


def _fail(arm: Path, here: str) -> None:
    try:
        where, kind = arm.read_text().rsplit(" ", 1)
    except FileNotFoundError:
        return
    if where == here:
        arm.unlink()
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise errors.Internal(f"injected {here}")


if __name__ == "__main__":
    sys.exit(main())
