"""What goes into a bundle: whatever `up` would take for these hosts, from wherever the inventory says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from installer.artifacts import cache, resolve, wheels
from installer.artifacts.images import find_images
from installer.artifacts.progress import Progress
from installer.bundle import os_packages
from installer.bundle.manifest import Manifest
from installer.bundle.targets import Target
from installer.cluster.spec import HostSpec
from installer.content import content_dir
from installer.errors import UsageError
from installer.phases.artifacts import COMPONENTS, KUBERNETES, artifact_spec, pycri_python, system_names
from pycri.version import __version__

# File names that source `directory` understands, and that say the version.
_NAMES: Final = {
    "containerd": "containerd-{version}-linux-{architecture}.tar.gz",
    "cni_plugins": "cni-plugins-linux-{architecture}-v{version}.tgz",
}
_SINGLE: Final = "{component}-{version}-linux-{architecture}"


@dataclass
class Contents:
    """Files by their path within the bundle, gathered host by host."""

    cache_dir: Path
    progress: Progress
    packages: bool = True
    apt_sources: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    components: dict[str, str] = field(default_factory=dict)
    targets: dict[str, None] = field(default_factory=dict)  # in order
    package_names: dict[Target, set[str]] = field(default_factory=dict)

    def add(self, host: HostSpec, target: Target) -> None:
        """All that the host needs if it is such a system. Raises NodestrapError."""
        host = host if host.facts is not None else replace(host, facts=target.facts)
        self.targets[str(target)] = None
        for component in (*COMPONENTS, *(KUBERNETES if host.variables.get("kubernetes_version") else ())):
            self._component(component, host, target)
        self._wheels(host)
        self._images(host, target)
        self.package_names.setdefault(target, set()).update(package_names(host))

    def finish(self, images: Iterable[Path]) -> Manifest:
        """Add further image archives and the OS packages, and list it all."""
        architectures = sorted({target.rpartition("/")[2] for target in self.targets})
        for image in images:
            for architecture in architectures:
                self.files[f"{architecture}/images/{image.name}"] = image
        if self.packages:
            for target, names in self.package_names.items():
                self.progress(f"packages for {target}", 0, 1)
                path, _ = os_packages.build(target, names, self.cache_dir, self.apt_sources)
                self.files[target.packages] = path
        return Manifest(
            nodestrap=__version__,
            targets=tuple(self.targets),
            components=self.components,
            files={path: cache.sha256_of(source) for path, source in sorted(self.files.items())},
            sizes={path: source.stat().st_size for path, source in self.files.items()},
        )

    def _component(self, component: str, host: HostSpec, target: Target) -> None:
        spec = artifact_spec(component, host)
        label = f"{component}/{target}"
        if label in self.components:
            return
        found = resolve(spec, self.cache_dir, self.progress)
        if found is None:
            self.components[label] = "of the distribution"
            return
        version = found.version.removeprefix("v")
        self.components[label] = f"{version} ({spec.source})"
        name = _NAMES.get(component, _SINGLE).format(
            component=component, version=version, architecture=spec.architecture
        )
        self.files[f"{spec.architecture}/{name}"] = found.path

    def _wheels(self, host: HostSpec) -> None:
        assert host.facts is not None  # add() has seen to it
        python = pycri_python(host)
        chosen = wheels.wheels_for(python, host.facts.machine)
        directory = host.variables.get("artifact_directory")
        house = Path(str(directory)).expanduser() / "wheels" if directory else None
        for path in wheels.fetch(chosen, python, self.cache_dir, house, self.progress):
            self.files[f"wheels/{path.name}"] = path

    def _images(self, host: HostSpec, target: Target) -> None:
        if not host.variables.get("kubernetes_version"):
            return
        spec = artifact_spec("kubelet", host)
        if spec.source == "directory" and spec.directory is not None:
            for image in find_images(spec.directory, spec.architecture):
                self.files[f"{target.architecture}/images/{image.path.name}"] = image.path


def package_names(host: HostSpec) -> list[str]:
    """The OS packages that the roles would install on the host, by the roles' own lists."""
    values = host.variables

    def source(*names: str) -> str:
        return next((str(values[name]) for name in names if values.get(name)), "distro")

    def listed(role: str, *keys: str) -> list[str]:
        document = _os_file(role, host)
        found: list[str] = []
        for key in keys:
            value = document.get(key) or []
            found += value if isinstance(value, list) else [value]
        return found

    containerd = source("containerd_source", "artifact_source")
    names = listed("os_prepare", "packages") + listed("containerd", "helpers")
    if containerd == "distro":
        names += listed("containerd", "package")
    if source("containerd_runc_source", "containerd_source", "artifact_source") == "distro":
        names += listed("containerd", "runc_packages")
    if source("cni_plugins_source", "artifact_source") == "distro":
        names += listed("cni_plugins", "package")
    if not values.get("pycri_python"):
        names += listed("pycri", "packages")
    if values.get("kubernetes_version") and source("kubernetes_source", "artifact_source") == "distro":
        # The role's pin does the same on the host: the newest build of this very version.
        names += [f"{name}={values['kubernetes_version']}-*" for name in ("kubeadm", "kubelet", "kubectl")]
        names += ["cri-tools"]
    return names


def _os_file(role: str, host: HostSpec) -> dict[str, Any]:
    for name in system_names(host):
        path = content_dir("roles") / role / "files" / "os" / f"{name}.yml"
        if path.is_file():
            document: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
            return document
    raise UsageError(
        f"{host.facts.os_name if host.facts else 'the system'} is none that the role {role} knows",
        fix="see the role's files/os for the distributions it knows",
    )


def check_images(paths: Sequence[Path]) -> None:
    """Raise UsageError for an image archive that is not there."""
    for path in paths:
        if not path.is_file() or path.suffix != ".tar":
            raise UsageError(
                f"{path} is no image archive", fix="name a .tar, as docker save or skopeo write it"
            )
