"""A pod's user namespace, and its network namespace inside of it, made before anything runs in the pod.

A network namespace belongs to the user namespace it was made in: made outside, the pod's root could neither
configure it nor mount its sysfs. A process with several threads, as this daemon, may not enter a user
namespace (unshare(2)): a small helper does, and ends as soon as both namespaces are held by bind mounts.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from pycri import syscalls
from pycri.cni import netns
from pycri.container.spec.id_mappings import IdMappings, Range

_TIMEOUT = 30.0
# Plain ctypes: os.unshare came with Python 3.12. Whatever goes wrong is on standard error.
_HELPER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(int(sys.argv[1])):
    raise SystemExit("unshare: " + os.strerror(ctypes.get_errno()))
os.write(1, b"made")
os.read(0, 1)
"""


def path(run: str, sandbox_id: str) -> str:
    """Where the user namespace of a sandbox is mounted; goes with the sandbox's other mounts."""
    return f"{run}/sandboxes/{sandbox_id}/userns"


async def create(user_path: str, network_path: str, mappings: IdMappings) -> None:
    """Mount a new user namespace and a network namespace of its own, ``lo`` up. Raises OSError.

    Without a ``network_path`` the pod uses the host's network.

    What was mounted when it fails is for ``files.remove`` and ``netns.remove``.
    """
    flags = syscalls.CLONE_NEWUSER | (syscalls.CLONE_NEWNET if network_path else 0)
    helper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        "-c",
        _HELPER,
        str(flags),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert helper.stdout is not None
    assert helper.stderr is not None
    try:
        if await asyncio.wait_for(helper.stdout.read(4), _TIMEOUT) != b"made":
            reason = (await helper.stderr.read()).decode(errors="replace").strip()
            raise OSError(errno.EPERM, f"no user namespace can be made on this host: {reason}")
        await asyncio.to_thread(_keep, helper.pid, user_path, network_path, mappings)
    except asyncio.TimeoutError:
        raise OSError(errno.ETIMEDOUT, "the process that makes a user namespace does not answer") from None
    finally:
        if helper.returncode is None:
            helper.kill()
        await helper.wait()
    if network_path:
        await netns.raise_loopback(network_path)


def _keep(pid: int, user_path: str, network_path: str, mappings: IdMappings) -> None:
    _write_map(f"/proc/{pid}/uid_map", mappings.uids)
    _write_map(f"/proc/{pid}/gid_map", mappings.gids)
    for kind, target in (("user", user_path), ("net", network_path)):
        if not target:
            continue
        Path(target).parent.mkdir(mode=0o700 if kind == "user" else 0o755, parents=True, exist_ok=True)
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
        syscalls.mount(f"/proc/{pid}/ns/{kind}", target, "none", syscalls.MS_BIND)


def _write_map(file: str, ranges: Iterable[Range]) -> None:
    # the kernel takes a map in one write, and never again
    Path(file).write_text("".join(f"{item.inside} {item.outside} {item.size}\n" for item in ranges))
