"""pycri for a node: one archive with the daemon and its dependencies, for one Python and one machine.

It holds ``lib/`` (what goes on sys.path) and ``release.json`` (what it was made of). The same sources and
the same lock give the same bytes, so a second run finds it in the cache and the node finds that it has it
already. It is made from the ``pycri`` package that this very process would import: a checkout and an
installed wheel work alike.

Byte code is not in it: its bytes depend on the Python that writes them. The node compiles once, when it
unpacks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pycri
from installer.artifacts import tarball, wheels
from installer.artifacts.progress import Progress, silent
from installer.artifacts.spec import Artifact
from installer.errors import ArtifactError
from pycri.version import __version__

_FORMAT: Final = 1  # part of the key: raise it when the layout changes


@dataclass(frozen=True)
class PycriArchive(Artifact):
    """The archive, which Python it is for, and the name of its directory on the node."""

    python: str
    release: str

    def as_variable(self) -> dict[str, str]:
        """What the role gets as ``pycri_artifact``."""
        return {**super().as_variable(), "python": self.python, "release": self.release}


def build_pycri_archive(
    python: str, machine: str, cache_dir: Path, progress: Progress = silent, *, wheelhouse: Path | None = None
) -> PycriArchive:
    """Return the archive for nodes with Python ``3.11`` on machine ``x86_64`` or ``aarch64``.

    Wheels come from the cache, from ``wheelhouse`` or from pip's index. Raises ArtifactError: a Python or
    machine without wheels, or a wheel that cannot be had.
    """
    chosen = wheels.wheels_for(python, machine)
    sources = tuple(own_files())
    key = _key(python, machine, chosen, sources)
    release = f"{__version__}-{key[:12]}"

    def members() -> Iterator[tarball.Member]:
        files = wheels.fetch(chosen, python, cache_dir, wheelhouse, progress)
        yield tarball.Member("release.json", 0o644, data=_manifest(python, machine, release, chosen))
        yield from sources
        for file in files:
            yield from _unpacked(file)

    name = f"pycri-{release}-cp{python.replace('.', '')}-{machine}.tar.gz"
    path, sha256 = tarball.packed(cache_dir, name, key, members)
    return PycriArchive(path, sha256, __version__, python, release)


def own_files() -> Iterator[tarball.Member]:
    root = Path(pycri.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyi":
            # read now, not later: the key and the archive must be of the same content
            yield tarball.Member(f"lib/pycri/{path.relative_to(root)}", 0o644, data=path.read_bytes())


def _key(
    python: str, machine: str, chosen: tuple[wheels.Wheel, ...], sources: tuple[tarball.Member, ...]
) -> str:
    inputs = {
        "format": _FORMAT,
        "python": python,
        "machine": machine,
        "wheels": {wheel.file: wheel.sha256 for wheel in chosen},
        "pycri": tarball.inputs_key("pycri", sources),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _manifest(python: str, machine: str, release: str, chosen: tuple[wheels.Wheel, ...]) -> bytes:
    content = {
        "release": release,
        "version": __version__,
        "python": python,
        "machine": machine,
        "wheels": {wheel.file: wheel.sha256 for wheel in chosen},
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _unpacked(wheel: Path) -> Iterator[tarball.Member]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".data/" in name or name.startswith(("/", "..")):
                raise ArtifactError(f"{wheel.name} holds {name}, which is not installed by unpacking")
            if not name.endswith(("/", ".pyi", ".dist-info/RECORD")):
                yield tarball.Member(f"lib/{name}", 0o644, data=archive.read(name))
