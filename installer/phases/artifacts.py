"""Bring the release files to the controller's cache, once per architecture and Python, and tell the roles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installer.artifacts import Artifact, ArtifactSpec, build_pycri_archive, resolve
from installer.cluster.spec import HostSpec
from installer.cluster.state import artifact_cache_dir
from installer.errors import ArtifactError, NodestrapError
from installer.phases.base import Phase
from installer.run import Run

# Components of a runtime host and where each one's source is said, the first that is set counting.
_COMPONENTS = {
    "containerd": ("containerd_source", "artifact_source"),
    "runc": ("runc_source", "containerd_source", "artifact_source"),
    "cni_plugins": ("cni_plugins_source", "artifact_source"),
}
_PYCRI_MINORS = range(10, 15)  # Pythons that pycri has wheels for: 3.10 to 3.14


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
    for component, names in _COMPONENTS.items():
        spec = _spec(component, names, host)
        key = (component, spec.source, spec.architecture, spec.version, spec.directory, spec.base_url)
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


def _spec(component: str, source_variables: tuple[str, ...], host: HostSpec) -> ArtifactSpec:
    values: Mapping[str, Any] = host.variables
    source = next((str(values[name]) for name in source_variables if values.get(name)), "distro")
    directory, version = values.get("artifact_directory"), values.get(f"{component}_version")
    architecture = host.facts.architecture if host.facts else None
    if architecture is None:
        raise ArtifactError(f"no release files for the architecture {host.facts and host.facts.machine}")
    return ArtifactSpec(
        component=component,
        source=source,
        architecture=architecture,
        version=str(version) if version else None,
        directory=Path(str(directory)).expanduser() if directory else None,
        base_url=values.get("artifact_base_url"),
    )


def pycri_python(host: HostSpec) -> str:
    """Which Python pycri will run on there, as ``3.11``: the host's own if new enough, else the newest
    beside it."""
    facts = host.facts
    if facts is None or not facts.python_version:
        raise ArtifactError("the host's Python is not known", fix="install python3")
    if facts.python_version[0] == 3 and facts.python_version[1] in _PYCRI_MINORS:
        return f"3.{facts.python_version[1]}"
    beside = [int(name[8:]) for name in facts.pythons if name.startswith("python3.") and name[8:].isdigit()]
    usable = [minor for minor in beside if minor in _PYCRI_MINORS]
    if not usable:
        raise ArtifactError(
            f"pycri runs on Python 3.{_PYCRI_MINORS[0]} to 3.{_PYCRI_MINORS[-1]}; the host has "
            f"{'.'.join(map(str, facts.python_version))}",
            fix="install a newer Python of the distribution beside it, such as python3.11",
        )
    return f"3.{max(usable)}"
