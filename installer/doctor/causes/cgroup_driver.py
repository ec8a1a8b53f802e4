"""The kubelet makes cgroups with another driver than the runtime."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause
from installer.verify import node_files

_ASKS_THE_RUNTIME = (1, 31)  # KubeletCgroupDriverFromCRI is on by default: the kubelet's own setting is moot
_SAID = r"but pycri uses the \w+ driver|expected cgroupsPath to be of format|cgroup driver.*differ"


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    runtime = evidence.endpoint.cgroup_driver if evidence.endpoint else None
    if runtime is None or not evidence.files.document(node_files.KUBELET):
        return
    if evidence.kubelet_version is not None and evidence.kubelet_version >= _ASKS_THE_RUNTIME:
        return
    driver, place = _kubelet_driver(evidence)
    if driver == runtime:
        return
    said = next((line for unit in evidence.journals if (line := evidence.line(unit, _SAID))), None)
    yield cause(
        f"the kubelet's cgroup driver is {driver}, the runtime's {runtime}",
        f"{place}; the CRI's RuntimeConfig says {runtime}" + (f"; {said}" if said else ""),
        f"set cgroupDriver: {runtime} in {node_files.KUBELET} and restart the kubelet, or set "
        f"pycri_cgroup_driver: {driver} and run nodestrap up",
    )


def _kubelet_driver(evidence: Evidence) -> tuple[str, str]:
    """The driver and the place that says so; a flag wins over the file, as in the kubelet itself."""
    flag = evidence.files.kubelet_flag("cgroup-driver")
    if flag is not None:
        return flag[0], f"{flag[1]}: --cgroup-driver={flag[0]}"
    driver = evidence.files.document(node_files.KUBELET).get("cgroupDriver")
    if driver is None:
        return "cgroupfs", f"{node_files.KUBELET} sets no cgroupDriver, which means cgroupfs"
    return str(driver), f"{node_files.KUBELET}: cgroupDriver: {driver}"
