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

from tests.support.debian import unpack

_LIBRARIES = {
    "runc": ("libc6", "libseccomp2"),
    "criu": (
        *("libc6", "libbsd0", "libmd0", "libgnutls30t64", "libnftables1", "libprotobuf-c1", "libnl-3-200"),
        *("libnet9", "libuuid1", "libjansson4", "libmnl0", "libnftnl11", "libedit2", "libtinfo6", "libgmp10"),
        *("libhogweed6t64", "libnettle8t64", "libidn2-0", "libunistring5", "libp11-kit0", "libtasn1-6"),
        *("libffi8", "libxtables12", "libzstd1", "libbrotli1", "zlib1g"),
    ),
    "crun": ("libc6", "libseccomp2", "libsystemd0", "libcap2", "libblake3-0", "libjson-c5"),
}
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
    trees = [unpack("sid", library) for library in _LIBRARIES[name]]
    found = [path for tree in trees for path in tree.glob("**/x86_64-linux-gnu") if path.is_dir()]
    loader = next(tree / "usr/lib64/ld-linux-x86-64.so.2" for tree in trees if "libc6" in tree.name)
    assert loader.exists(), f"{loader} is missing"
    patchelf = unpack("bookworm", "patchelf") / "usr/bin/patchelf"
    shutil.copy(package / _PROGRAMS[name], work / name)
    libraries = ":".join(map(str, found))
    subprocess.run(
        [patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, work / name],
        check=True,
        capture_output=True,
    )
