"""Bring the release files to the controller's cache, once per architecture and Python, and tell the roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from installer.artifacts import Artifact, ArtifactSpec, build_pycri_archive, resolve
from installer.cluster.facts import DISTRIBUTIONS
from installer.cluster.spec import HostSpec
from installer.cluster.state import artifact_cache_dir
from installer.content import content_dir
from installer.errors import ArtifactError, NodestrapError
from installer.phases.base import Phase
from installer.run import Run

# Components of a runtime host; where each one's source is said (the first that is set counts) and its
# version.
_COMPONENTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "containerd": (("containerd_source", "artifact_source"), "containerd_version"),
    "runc": (("containerd_runc_source", "containerd_source", "artifact_source"), "containerd_runc_version"),
    "cni_plugins": (("cni_plugins_source", "artifact_source"), "cni_plugins_version"),
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
    for component in _COMPONENTS:
        spec = _spec(component, host)
        key = repr(spec)
        if key not in found:
            found[key] = resolve(spec, cache, run.progress.transfer)
        artifact = found[key]
        if artifact is not None:
            variables[f"{component}_artifact"] = artifact.as_variable()
    python = pycri_python(host)
    assert host.facts is not None  # Preflight came before
    if (python, host.facts.machine) not in found:
        found[python, host.facts.machine] = build_pycri_archive(
            python, host.facts.machine, cache, run.progress.transfer
        )
    pycri = found[python, host.facts.machine]
    assert pycri is not None  # only packages of the distribution are None
    return variables | {"pycri_artifact": pycri.as_variable()}


def _spec(component: str, host: HostSpec) -> ArtifactSpec:
    values: Mapping[str, Any] = host.variables
    source_variables, version_variable = _COMPONENTS[component]
    source = next((str(values[name]) for name in source_variables if values.get(name)), "distro")
    directory, version = values.get("artifact_directory"), values.get(version_variable)
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
    for name in _system_names(host):
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


def _system_names(host: HostSpec) -> Iterator[str]:
    """The names of the role's files for a system, the most particular first: Debian-12, Debian."""
    facts = host.facts
    if facts is None:
        return
    for name in DISTRIBUTIONS.get(facts.os_id, ()):
        yield f"{name}-{facts.os_major}"
        yield name
