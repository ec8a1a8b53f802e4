"""Debian sid's OCI runtimes and criu on a machine with an older libc: copies that load sid's libraries.

runc and crun execute themselves again through /proc/self/exe, so an environment variable or a wrapper around
the loader does not do: the copy's own header names sid's loader and library directories (patchelf does that).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.debian import libraries, unpack

_PROGRAMS = {"runc": "usr/sbin/runc", "crun": "usr/bin/crun", "criu": "usr/sbin/criu"}


def runtime(name: str) -> Path:
    """The path of sid's ``runc``, ``crun`` or ``criu``, runnable here. Raises DebianError, AssertionError."""
    package = unpack("sid", name)
    made = package.with_name(f"{package.name}.portable")
    program = made / name
    if not program.exists():
        work = made.with_name(f"{made.name}.{os.getpid()}")
        work.mkdir()
        _make(name, package, work)
        try:
            work.rename(made)
        except OSError:  # another test run was faster
            shutil.rmtree(work)
    return program


def features(program: Path) -> dict[str, object]:
    """What ``<runtime> features`` prints."""
    output = subprocess.run([program, "features"], capture_output=True, check=True).stdout
    return dict(json.loads(output))


def _make(name: str, package: Path, work: Path) -> None:
    trees = [unpack("sid", library) for library in libraries("sid", name)]
    found = [path for tree in trees for path in tree.glob("**/x86_64-linux-gnu") if path.is_dir()]
    loader = next(tree / "usr/lib64/ld-linux-x86-64.so.2" for tree in trees if "libc6" in tree.name)
    assert loader.exists(), f"{loader} is missing"
    patchelf = unpack("bookworm", "patchelf") / "usr/bin/patchelf"
    shutil.copy(package / _PROGRAMS[name], work / name)
    paths = ":".join(map(str, found))
    subprocess.run(
        [patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", paths, work / name],
        check=True,
        capture_output=True,
    )
