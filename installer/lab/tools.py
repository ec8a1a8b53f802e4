"""Running the system's own tools: found first, checked, their complaint kept."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from installer.errors import NodestrapError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGES = {
    "busybox": "busybox-static",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "iptables": "iptables",
    "mke2fs": "e2fsprogs",
    "nsenter": "util-linux",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
"""Tool -> the Debian package that has it."""


def require(tools: Iterable[str]) -> None:
    """Check that all `tools` are installed. Raises UsageError that lists the missing ones, with packages."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        packages = sorted({PACKAGES.get(tool, tool) for tool in missing})
        raise UsageError(
            f"This machine has no {', '.join(missing)}, which the lab needs.",
            fix=f"apt-get install --no-install-recommends {' '.join(packages)}",
        )


def path_of(tool: str) -> str:
    """Absolute path of `tool`. Raises UsageError when it is missing."""
    require([tool])
    found = shutil.which(tool)
    assert found is not None
    return found


def run(
    *argv: str, stdin: str | None = None, env: Mapping[str, str] | None = None, timeout: float = 120
) -> str:
    """Run `argv` to its end and return what it printed.

    Raises NodestrapError with the command and its last words when it fails or takes over `timeout` seconds.
    """
    try:
        done = subprocess.run(
            [path_of(argv[0]), *argv[1:]],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NodestrapError(f"`{' '.join(argv)}` took more than {timeout:.0f} s.") from error
    if done.returncode:
        last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-4:])
        raise NodestrapError(f"`{' '.join(argv)}` failed with {done.returncode}: {last or 'no output'}")
    return done.stdout
