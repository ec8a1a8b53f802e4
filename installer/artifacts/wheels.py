"""The wheels that pycri needs beside it, for another Python and another machine than the controller's."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import yaml

from installer.artifacts import cache
from installer.artifacts.progress import Progress
from installer.errors import ArtifactError

_NEEDED: Final = frozenset({"grpcio", "protobuf", "typing_extensions", "urllib3"})
_BELOW_311: Final = frozenset({"tomli"})  # tomllib came with 3.11


@dataclass(frozen=True)
class Wheel:
    """One line of the lock. The names are those of the wheel file name convention (PEP 427)."""

    file: str
    sha256: str

    @property
    def tags(self) -> tuple[str, str, str, str, str]:
        """Distribution, version, Python tag, ABI tag, platform tag."""
        name, version, python, abi, platform = self.file.removesuffix(".whl").split("-")
        return name, version, python, abi, platform

    def fits(self, python: str, machine: str) -> bool:
        """Whether it can be used by Python ``3.11`` on ``x86_64``."""
        _, _, python_tag, abi, platform = self.tags
        if python_tag == "py3":
            return platform == "any"
        minor = int(python_tag.removeprefix("cp3"))
        wanted = int(python.removeprefix("3."))
        right_python = minor <= wanted if abi == "abi3" else minor == wanted
        return right_python and platform.endswith(machine)


def wheels_for(python: str, machine: str) -> tuple[Wheel, ...]:
    """The locked wheels for a node with Python ``3.11`` and machine ``x86_64``.

    Raises ArtifactError when a dependency has none.
    """
    needed = _NEEDED | (_BELOW_311 if python == "3.10" else frozenset())
    found = {
        wheel.tags[0]: wheel for wheel in _lock() if wheel.tags[0] in needed and wheel.fits(python, machine)
    }
    if missing := needed - found.keys():
        raise ArtifactError(
            f"pycri has no wheel of {', '.join(sorted(missing))} for Python {python} on {machine}",
            fix=f"pycri_python may be {', '.join(supported_pythons())}; machines are x86_64 and aarch64",
        )
    return tuple(found[name] for name in sorted(found))


@functools.cache
def supported_pythons() -> tuple[str, ...]:
    """The Python versions that a node may have."""
    tags = {wheel.tags[2] for wheel in _lock() if wheel.tags[0] == "grpcio"}
    return tuple(f"3.{minor}" for minor in sorted(int(tag.removeprefix("cp3")) for tag in tags))


def fetch(
    wheels: tuple[Wheel, ...], python: str, cache_dir: Path, wheelhouse: Path | None, progress: Progress
) -> tuple[Path, ...]:
    """Return the wheels' files: from the cache, from ``wheelhouse``, or from the index that pip is set up
    for.

    Raises ArtifactError when pip cannot get one, or its sum is not the locked one.
    """
    with cache.locked(cache_dir, "wheels"):
        missing = [wheel for wheel in wheels if not cache.is_good(_path(cache_dir, wheel), wheel.sha256)]
        if missing:
            progress(f"wheels for Python {python}", 0, None)
            _get(missing, python, cache_dir, wheelhouse)
            size = sum(_path(cache_dir, wheel).stat().st_size for wheel in missing)
            progress(f"wheels for Python {python}", size, size)
    return tuple(_path(cache_dir, wheel) for wheel in wheels)


def _path(cache_dir: Path, wheel: Wheel) -> Path:
    return cache.entry(cache_dir, wheel.sha256, wheel.file)


def _get(missing: list[Wheel], python: str, cache_dir: Path, wheelhouse: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=cache_dir) as directory:
        work = Path(directory)
        for wheel in missing:
            if wheelhouse is not None and (wheelhouse / wheel.file).is_file():
                shutil.copyfile(wheelhouse / wheel.file, work / wheel.file)
        elsewhere = [wheel for wheel in missing if not (work / wheel.file).exists()]
        if elsewhere:
            _pip_download(elsewhere, python, work)
        for wheel in missing:
            part = work / wheel.file
            actual = cache.sha256_of(part) if part.exists() else "nothing"
            if actual != wheel.sha256:
                raise ArtifactError(
                    f"{wheel.file}: wrong checksum: expected sha256 {wheel.sha256}, got {actual}",
                    fix="use an index, or a wheelhouse, with the unchanged release",
                )
            cache.publish(part, _path(cache_dir, wheel))


def _pip_download(missing: list[Wheel], python: str, work: Path) -> None:
    requirements = work / "requirements.txt"
    lines = [f"{wheel.tags[0]}=={wheel.tags[1]} --hash=sha256:{wheel.sha256}\n" for wheel in missing]
    requirements.write_text("".join(lines))
    platforms = sorted({tag for wheel in missing for tag in wheel.tags[4].split(".")})
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    argv += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(work)]
    argv += ["--implementation", "cp", "--python-version", python]
    argv += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    argv += [f"--platform={tag}" for tag in platforms]
    done = subprocess.run([*argv, "-r", str(requirements)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = re.findall(r"^ERROR: (.*)$", done.stderr, re.MULTILINE) or [done.stderr.strip()[-500:]]
        raise ArtifactError(
            f"pip could not get {', '.join(wheel.file for wheel in missing)}: {' '.join(errors)}",
            fix="check pip's index, proxy and network; or put the wheel into wheels/ of artifact_directory",
        )


@functools.cache
def _lock() -> tuple[Wheel, ...]:
    text = resources.files(__package__).joinpath("pycri_wheels.yml").read_text(encoding="utf-8")
    lock: Mapping[str, str] = yaml.safe_load(text)["wheels"]
    return tuple(Wheel(file, sha256) for file, sha256 in lock.items())
