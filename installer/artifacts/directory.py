"""Source ``directory``: a local tree, or an unpacked bundle.

For each component the release file under its upstream name is taken, or else the bare binaries:
``bin/containerd``, ``bin/runc``, ``bin/kubelet`` …, and ``cni/*`` for the CNI plugins. Each is looked up
under ``<directory>/<amd64 or arm64>/`` first and then under ``<directory>/``. A ``checksums.txt`` (as
sha256sum writes it) at the top must, where it exists, list every file that is used.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from installer.artifacts import cache, tarball
from installer.artifacts.progress import Progress
from installer.artifacts.spec import ARCHITECTURES, Artifact, ArtifactSpec
from installer.errors import ArtifactError

# Programs that are one file, which the roles take as it is.
_SINGLE: Final = ("runc", "kubeadm", "kubelet", "kubectl")
# Release files whose names carry the version; {version} is a wildcard when none is asked for.
_RELEASE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "containerd": (
        "containerd-static-{version}-linux-{architecture}.tar.gz",
        "containerd-{version}-linux-{architecture}.tar.gz",
    ),
    "cni_plugins": ("cni-plugins-linux-{architecture}-v{version}.tgz",),
    "crictl": ("crictl-v{version}-linux-{architecture}.tar.gz",),
    **{name: (f"{name}-{{version}}-linux-{{architecture}}",) for name in _SINGLE},
}
# Bare binaries: what must be there, and what is taken along.
_BINARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "containerd": ("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"),
    "runc": ("bin/runc", "runc.{architecture}"),
    "cni_plugins": ("cni/bridge", "cni/host-local", "cni/loopback", "cni/portmap"),
    "crictl": ("bin/crictl",),
    "kubeadm": ("bin/kubeadm",),
    "kubelet": ("bin/kubelet",),
    "kubectl": ("bin/kubectl",),
}
_ELF_MACHINE: Final[Mapping[int, str]] = {62: "amd64", 183: "arm64"}
_VERSION: Final = re.compile(r"(?<![\w.])v?(\d+\.\d+\.\d+[^\s,]*)")


def find(spec: ArtifactSpec, cache_dir: Path, _progress: Progress) -> Artifact:
    """Return the component's file; bare binaries of containerd, CNI plugins and crictl are packed into the
    cache.

    Raises ArtifactError: not there, for another architecture, no version to be read, or a wrong checksum.
    """
    assert spec.directory is not None
    if not spec.directory.is_dir():
        raise ArtifactError(f"{spec.directory} is not a directory", fix="set artifact_directory to one")
    sums = checksums(spec.directory)
    for root in (spec.directory / spec.architecture, spec.directory):
        found = _release_file(spec, root) or _bare(spec, root, cache_dir, sums)
        if found:
            _check(found.path, found.sha256, spec.directory, sums)
            return found
    raise ArtifactError(
        f"{spec.directory} has no {spec.component} {spec.version or ''} for {spec.architecture}".replace(
            "  ", " "
        ),
        fix="looked for " + ", ".join(_wanted(spec)) + f", there and in {spec.architecture}/",
    )


def _wanted(spec: ArtifactSpec) -> Iterator[str]:
    for name in (*_RELEASE_NAMES.get(spec.component, ()), *_BINARIES[spec.component]):
        yield name.format(version=spec.version or "*", architecture=spec.architecture)


def _release_file(spec: ArtifactSpec, root: Path) -> Artifact | None:
    for pattern in _RELEASE_NAMES.get(spec.component, ()):
        glob = pattern.format(version=spec.version or "*", architecture=spec.architecture)
        versioned = re.compile(
            re.escape(pattern)
            .replace(r"\{version\}", r"(\d[\w.+~-]*)")
            .replace(r"\{architecture\}", spec.architecture)
        )
        found = [(match[1], path) for path in root.glob(glob) if (match := versioned.fullmatch(path.name))]
        if found:
            version, path = max(found, key=lambda item: [int(n) for n in re.findall(r"\d+", item[0])])
            return Artifact(path, cache.sha256_of(path), version)
    return None


def _bare(spec: ArtifactSpec, root: Path, cache_dir: Path, sums: Mapping[str, str] | None) -> Artifact | None:
    names = [name.format(architecture=spec.architecture) for name in _BINARIES[spec.component]]
    present = [root / name for name in names if (root / name).is_file()]
    if spec.component in ("containerd", "cni_plugins"):
        if len(present) < len(names):
            return None
        first = present[0]
        present = sorted(
            p for p in first.parent.iterdir() if p.is_file() and _belongs(spec.component, p.name)
        )
    elif not present:
        return None
    else:
        first = present[0]
        present = [first]
    for path in present:
        _check_architecture(path, spec.architecture)
    version = spec.version or _ask_version(spec, first)
    if spec.component in _SINGLE:
        return Artifact(first, cache.sha256_of(first), version)
    assert spec.directory is not None
    for path in present:
        _check(path, cache.sha256_of(path), spec.directory, sums)
    prefix = "bin/" if spec.component == "containerd" else ""
    members = [tarball.Member(prefix + path.name, 0o755, path) for path in present]
    name = f"{spec.component}-{version}-linux-{spec.architecture}.tar.gz"
    key = tarball.inputs_key(name, members)
    return Artifact(*tarball.packed(cache_dir, name, key, lambda: members), version)


def _belongs(component: str, name: str) -> bool:
    return component == "cni_plugins" or name == "ctr" or name.startswith("containerd")


def _check_architecture(path: Path, architecture: str) -> None:
    with path.open("rb") as handle:
        head = handle.read(20)
    actual = _ELF_MACHINE.get(int.from_bytes(head[18:20], "little")) if head[:4] == b"\x7fELF" else None
    if actual != architecture:
        kind = f"for {actual}" if actual else "no Linux binary for amd64 or arm64"
        raise ArtifactError(
            f"{path} is {kind}, not for {architecture}",
            fix=f"put the {architecture} binaries into a sub-directory {architecture}/",
        )


def _ask_version(spec: ArtifactSpec, binary: Path) -> str:
    """Ask the binary itself, where this machine can run it."""
    import platform

    if ARCHITECTURES.get(platform.machine()) == spec.architecture:
        arguments = ["version"] if spec.component in ("kubeadm", "kubectl") else ["--version"]
        done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=20, check=False)
        if found := _VERSION.search(f"{done.stdout} {done.stderr}"):
            return found[1].strip('"').rstrip(",")
    raise ArtifactError(
        f"the version of {binary} cannot be read",
        fix=f"set {spec.component}_version, or use the release archive, whose name says it",
    )


def checksums(directory: Path) -> Mapping[str, str] | None:
    """The sums that the directory's checksums.txt lists, by name; None where there is none.

    Raises ArtifactError for a line that is none of sha256sum's.
    """
    listing = directory / "checksums.txt"
    if not listing.exists():
        return None
    sums = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            found = re.fullmatch(r"([0-9a-f]{64})[ ][ *](?:\./)?(.+)", line)
            if not found:
                raise ArtifactError(
                    f"{listing}:{number}: not a line of sha256sum: {line!r}", fix="write it with sha256sum"
                )
            sums[found[2]] = found[1]
    return sums


def _check(path: Path, sha256: str, directory: Path, sums: Mapping[str, str] | None) -> None:
    if sums is None or not path.is_relative_to(directory):
        return
    name = str(path.relative_to(directory))
    if name not in sums:
        raise ArtifactError(
            f"{name} is not in {directory}/checksums.txt", fix="list it there, or remove the list"
        )
    if sums[name] != sha256:
        raise ArtifactError(
            f"{path}: wrong checksum: checksums.txt says sha256 {sums[name]}, the file has {sha256}",
            fix="fetch the file again; do not use this one",
        )
