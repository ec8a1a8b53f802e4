"""Bring the release files to the controller's cache, once per architecture and Python, and tell the roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from installer.artifacts import Artifact, ArtifactSpec, build_pycri_archive, resolve
from installer.artifacts.images import ImageArchive, find_images
from installer.bundle.targets import of_facts
from installer.bundle.use import bundled_packages
from installer.cluster.facts import DISTRIBUTIONS
from installer.cluster.spec import HostSpec
from installer.cluster.state import artifact_cache_dir
from installer.content import content_dir
from installer.errors import ArtifactError, NodestrapError
from installer.phases.base import Phase
from installer.run import Run

# Components of a runtime host, and what Kubernetes adds; where each one's source is said (the first that is
# set counts) and its version.
COMPONENTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "containerd": (("containerd_source", "artifact_source"), "containerd_version"),
    "runc": (("containerd_runc_source", "containerd_source", "artifact_source"), "containerd_runc_version"),
    "cni_plugins": (("cni_plugins_source", "artifact_source"), "cni_plugins_version"),
}
KUBERNETES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "kubeadm": (("kubernetes_source", "artifact_source"), "kubernetes_version"),
    "kubelet": (("kubernetes_source", "artifact_source"), "kubernetes_version"),
    "kubectl": (("kubernetes_source", "artifact_source"), "kubernetes_version"),
}


class Artifacts(Phase):
    name = "artifacts"
    title = "Artifacts"

    def run(self, run: Run) -> None:
        cache = artifact_cache_dir()
        found: dict[Any, Artifact | None] = {}
        for host in run.active:
            run.progress.step(host.name, "finding release files")
            try:
                run.host_variables.setdefault(host.name, {}).update(_variables(host, cache, run, found))
            except NodestrapError as error:
                # Hosts differ in architecture and Python: what one cannot have, another may.
                fix = error.fix or "see the log"
                run.fail(ArtifactError(error.reason, host=host.name, step="artifacts", fix=fix))


def _variables(host: HostSpec, cache: Path, run: Run, found: dict[Any, Artifact | None]) -> dict[str, Any]:
    """The roles' ``<component>_artifact`` variables of one host; none for what its package manager brings."""
    variables: dict[str, Any] = {}
    for component in _wanted(run):
        spec = artifact_spec(component, host)
        key = repr(spec)
        if key not in found:
            found[key] = resolve(spec, cache, run.progress.transfer)
        artifact = found[key]
        if artifact is not None:
            _check_version(component, artifact, run)
            variables[f"{component}_artifact"] = artifact.as_variable()
    if run.kubernetes is not None:
        variables["kubernetes_images_archives"] = [image.as_variable() for image in _images(host, found)]
    python = pycri_python(host)
    assert host.facts is not None  # Preflight came before
    if (python, host.facts.machine) not in found:
        found[python, host.facts.machine] = build_pycri_archive(
            python, host.facts.machine, cache, run.progress.transfer, wheelhouse=_wheelhouse(host)
        )
    pycri = found[python, host.facts.machine]
    assert pycri is not None  # only packages of the distribution are None
    variables["pycri_artifact"] = pycri.as_variable()
    if run.bundle is not None:
        packages = bundled_packages(run.bundle, of_facts(host.facts))
        if packages is not None:
            variables["os_packages_artifact"] = packages
    return variables


def _wheelhouse(host: HostSpec) -> Path | None:
    """``wheels/`` of the artifact directory, where it has one."""
    directory = host.variables.get("artifact_directory")
    wheels = Path(str(directory)).expanduser() / "wheels" if directory else None
    return wheels if wheels is not None and wheels.is_dir() else None


def _wanted(run: Run) -> tuple[str, ...]:
    if run.kubernetes is None:
        return tuple(COMPONENTS)
    return (*COMPONENTS, *KUBERNETES)


def _images(host: HostSpec, found: dict[Any, Any]) -> tuple[ImageArchive, ...]:
    """The archives that this host needs, from the directory that its programs come from."""
    spec = artifact_spec("kubelet", host)
    if spec.source != "directory" or spec.directory is None:
        return ()
    key = ("images", spec.directory, spec.architecture)
    if key not in found:
        found[key] = find_images(spec.directory, spec.architecture)
    archives: tuple[ImageArchive, ...] = found[key]
    return tuple(each for each in archives if host.is_control_plane or not each.for_control_planes)


def _check_version(component: str, artifact: Artifact, run: Run) -> None:
    """A directory's binaries say what they are: another release must not get in under this name."""
    if component not in ("kubeadm", "kubelet", "kubectl") or run.kubernetes is None:
        return
    version = str(run.kubernetes.cluster.version)
    if artifact.version.removeprefix("v") != version:
        raise ArtifactError(
            f"{artifact.path} is {component} {artifact.version}, but kubernetes_version is {version}",
            fix=f"set kubernetes_version to {artifact.version}, or put the binaries of {version} there",
        )


def artifact_spec(component: str, host: HostSpec) -> ArtifactSpec:
    values: Mapping[str, Any] = host.variables
    source_variables, version_variable = {**COMPONENTS, **KUBERNETES}[component]
    source = next((str(values[name]) for name in source_variables if values.get(name)), "distro")
    directory, version = values.get("artifact_directory"), values.get(version_variable)
    if component in KUBERNETES and source == "directory":
        version = None  # its binaries are asked
    architecture = host.facts.architecture if host.facts else None
    if architecture is None:
        raise ArtifactError(f"no release files for the architecture {host.facts and host.facts.machine}")
    return ArtifactSpec(
        component=component,
        source=source,
        architecture=architecture,
        version=str(version) if version else None,
        directory=Path(str(directory)).expanduser() if directory else None,
        base_url=values.get("upstream_base_url"),
        mirrors=values.get("upstream_mirrors") or {},
    )


def pycri_python(host: HostSpec) -> str:
    """Which Python pycri will run on there, as ``3.11``: what the role ``pycri`` will choose for its
    system."""
    if host.variables.get("pycri_python"):
        return str(host.variables["pycri_python"])
    files = content_dir("roles") / "pycri" / "files" / "os"
    for name in system_names(host):
        path = files / f"{name}.yml"
        if path.is_file():
            python = yaml.safe_load(path.read_text()).get("python")
            if python:
                return str(python)
            break
    raise ArtifactError(
        f"{host.facts.os_name if host.facts else 'the system'} has no Python that pycri is known to run on",
        fix="install Python 3.10 or newer there as /usr/bin/python3.x, and set pycri_python to 3.x",
    )


def system_names(host: HostSpec) -> Iterator[str]:
    """The names of the role's files for a system, the most particular first: Debian-12, Debian."""
    facts = host.facts
    if facts is None:
        return
    for name in DISTRIBUTIONS.get(facts.os_id, ()):
        yield f"{name}-{facts.os_major}"
        yield name
