"""The CRI endpoints of a node: which sockets answer, and what the kubelet's says about its containers."""

import json
import os
import re
import socket
import stat
from typing import Any, Dict, List, Optional  # noqa: UP035 - Python 3.6

from installer.doctor.host import cri, files

# ruff: noqa: UP006, UP045, PTH113, PTH116, PTH123 - Python 3.6; os starts faster than pathlib

KNOWN = (
    "/run/pycri/pycri.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
)
RUNTIME, IMAGES = "/runtime.v1.RuntimeService/", "/runtime.v1.ImageService/"
EXITED, RUNNING = 2, 1
DRIVERS = {0: "systemd", 1: "cgroupfs"}
LOG_LINES = 30
DEAD_AT_MOST = 12  # logs that are read


def gather() -> Dict[str, Any]:
    configured = configured_endpoint()
    paths = [path for path in (configured, *KNOWN) if path]
    states = {path: socket_state(path) for path in paths}
    found = {path: ask(path) for path in states if states[path] == "answers"}
    return {"configured_endpoint": configured, "sockets": states, "endpoints": found}


def configured_endpoint() -> Optional[str]:
    """The socket that the kubelet is told to use; flags win over files, as in the kubelet itself."""
    for path in (*files.SETTINGS[2:5], files.SETTINGS[1], files.SETTINGS[0]):
        if os.path.isfile(path):
            found = re.search(
                r"(?:--container-runtime-endpoint[= ]|^containerRuntimeEndpoint:\s*)[\"']?([^\s\"']+)",
                files.read(path),
                re.MULTILINE,
            )
            if found:
                return re.sub("^/var/run/", "/run/", re.sub("^unix:/*", "/", found.group(1)))
    return None


def socket_state(path: str) -> str:
    """``answers``, ``missing``, ``no socket`` or the error of connecting."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return "no socket"
    except OSError:
        return "missing"
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(path)
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return "answers"


def ask(path: str) -> Dict[str, Any]:
    """What an endpoint says; ``error`` when it does not speak the CRI."""
    try:
        version = cri.call(path, RUNTIME + "Version")
        found: Dict[str, Any] = {"runtime": cri.text(version, 2), "version": cri.text(version, 3)}
    except cri.CallError as error:
        return {"error": str(error)}
    for name, step in (("status", status), ("config", cgroup_driver), ("containers", containers)):
        try:
            found.update(step(path))
        except cri.CallError as error:  # noqa: PERF203 - an old endpoint may not know RuntimeConfig
            found[name + "_error"] = str(error)
    return found


def status(path: str) -> Dict[str, Any]:
    answer = cri.call(path, RUNTIME + "Status", b"\x08\x01")  # verbose
    conditions = [cri.decode(item) for item in cri.inner(answer, 1).get(1, [])]
    info = {cri.text(entry, 1): cri.text(entry, 2) for entry in map(cri.decode, answer.get(2, []))}
    image = sandbox_image(info.get("config", ""))
    return {
        "conditions": {
            cri.text(item, 1): [bool(cri.number(item, 2)), cri.text(item, 3), cri.text(item, 4)]
            for item in conditions
        },
        "sandbox_image": image,
        "sandbox_image_present": image_present(path, image) if image else None,
    }


def sandbox_image(config: str) -> Optional[str]:
    """As pycri and containerd name it in their verbose status."""
    try:
        document = json.loads(config)
        named = (document.get("images") or {}).get("sandbox_image") or document.get("sandboxImage")
    except (ValueError, AttributeError):
        return None
    return named if isinstance(named, str) else None


def image_present(path: str, image: str) -> bool:
    request = cri.nested(1, cri.string(1, image))
    return bool(cri.inner(cri.call(path, IMAGES + "ImageStatus", request), 1))


def cgroup_driver(path: str) -> Dict[str, Any]:
    answer = cri.call(path, RUNTIME + "RuntimeConfig")
    return {"cgroup_driver": DRIVERS.get(cri.number(cri.inner(answer, 1), 1))}


def containers(path: str) -> Dict[str, Any]:
    """The newest container of each name in each pod, with the logs of those that are dead."""
    newest: Dict[Any, Dict[str, Any]] = {}
    for item in map(cri.decode, cri.call(path, RUNTIME + "ListContainers").get(1, [])):
        metadata = cri.inner(item, 3)
        labels = {cri.text(entry, 1): cri.text(entry, 2) for entry in map(cri.decode, item.get(8, []))}
        seen = {
            "id": cri.text(item, 1),
            "name": cri.text(metadata, 1),
            "attempt": cri.number(metadata, 2),
            "pod": labels.get("io.kubernetes.pod.name", ""),
            "namespace": labels.get("io.kubernetes.pod.namespace", ""),
            "state": {EXITED: "exited", RUNNING: "running"}.get(cri.number(item, 6), "created"),
            "created": cri.number(item, 7) / 1e9,
        }
        key = seen["namespace"], seen["pod"], seen["name"]
        if key not in newest or seen["created"] > newest[key]["created"]:
            newest[key] = seen
    dead = sorted(
        (item for item in newest.values() if item["state"] == "exited"),
        key=lambda item: (item["namespace"] != "kube-system", -item["created"]),
    )
    for each in dead[:DEAD_AT_MOST]:
        each.update(end_of(path, each["id"]))
    return {"containers": sorted(newest.values(), key=lambda item: (item["namespace"], item["pod"]))}


def end_of(path: str, container: str) -> Dict[str, Any]:
    """How a container ended, and the last lines of its log."""
    answer = cri.inner(cri.call(path, RUNTIME + "ContainerStatus", cri.string(1, container)), 1)
    return {
        "exit_code": cri.number(answer, 7),
        "finished": cri.number(answer, 6) / 1e9,
        "reason": cri.text(answer, 10),
        "message": cri.text(answer, 11),
        "log": tail(cri.text(answer, 15)),
    }


def tail(path: str) -> List[str]:
    """The last lines of a CRI log, without its own columns."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 32768))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.split(" ", 3)[-1][:1000] for line in lines[-LOG_LINES:]]
