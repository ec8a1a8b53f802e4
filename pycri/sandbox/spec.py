"""The OCI runtime spec of a pod's pause container, which holds the namespaces the containers join."""

from __future__ import annotations

import re
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import (
    apparmor,
    capabilities,
    id_mappings,
    namespaces,
    resources,
    seccomp,
    selinux,
)
from pycri.container.spec.build import MASKED_PATHS, OCI_VERSION, READONLY_PATHS
from pycri.container.spec.mounts import kernel_mounts
from pycri.store import SandboxRecord

# The pause process is the last to die when memory is short: its end is the pod's.
_OOM_SCORE_ADJ = -998
_SHARES = 2
# Also "+" once reached a shell-like parser (CVE-2022-0811).
_SYSCTL_NAME = re.compile(r"[a-zA-Z0-9_-]+([./][a-zA-Z0-9_*-]+)+")
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def sandbox_spec(
    record: SandboxRecord, image: dict[str, Any], hostname: str, userns: str = ""
) -> dict[str, Any]:
    """``image`` is the ``config`` object of the OCI image configuration, ``userns`` where the pod's user
    namespace is mounted if it has one. Raises InvalidArgument."""
    config = record.config
    context = config.linux.security_context
    options = context.namespace_options
    given = capabilities.of_container(cri.Capability(), privileged=False)
    mappings = id_mappings.of_pod(options)
    linux: dict[str, Any] = {
        "namespaces": namespaces.of_sandbox(options, record.netns, userns if mappings is not None else ""),
        "cgroupsPath": record.cgroup,
        "resources": {"devices": [{"allow": False, "access": "rwm"}], "cpu": {"shares": _SHARES}},
        "maskedPaths": [*MASKED_PATHS],
        "readonlyPaths": [*READONLY_PATHS],
    }
    label = process_label(config)
    if label:
        linux["mountLabel"] = selinux.file_label(label)
    if mappings is not None:
        linux |= mappings.oci()
    wanted = sysctls(config)
    if wanted:
        linux["sysctl"] = wanted
    profile = seccomp.of_container(
        context.seccomp if context.HasField("seccomp") else None,
        context.seccomp_profile_path,
        given["bounding"],
    )
    if profile is not None and not context.privileged:
        linux["seccomp"] = profile
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": {
            "args": [*(image.get("Entrypoint") or ()), *(image.get("Cmd") or ())],
            "env": [*(image.get("Env") or ())],
            "cwd": image.get("WorkingDir") or "/",
            "user": _user(context, str(image.get("User") or "")),
            "capabilities": given,
            "noNewPrivileges": True,
            "oomScoreAdj": resources.oom_score_adj(_OOM_SCORE_ADJ),
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": _mounts(),
        "annotations": _annotations(record),
        "linux": linux,
    }
    if label:
        spec["process"]["selinuxLabel"] = label
    if context.HasField("apparmor"):  # none but on request: the pause process is ours
        asked = cri.LinuxContainerSecurityContext(apparmor=context.apparmor, privileged=context.privileged)
        confined = apparmor.of_container(asked)
        if confined:
            spec["process"]["apparmorProfile"] = confined
    if options.network != cri.NODE:
        spec["hostname"] = hostname
    return spec


def process_label(config: cri.PodSandboxConfig) -> str:
    """The pause process's SELinux label; empty for none. Raises InvalidArgument."""
    context = config.linux.security_context
    return selinux.process_label(context.selinux_options, privileged=context.privileged)


def sysctls(config: cri.PodSandboxConfig) -> dict[str, str]:
    """The pod's sysctls, checked: only those of namespaces it has. Raises InvalidArgument."""
    options = config.linux.security_context.namespace_options
    found: dict[str, str] = {}
    for name, value in config.linux.sysctls.items():
        if not _SYSCTL_NAME.fullmatch(name) or re.search(r"[\x00-\x1f]", value):
            raise errors.InvalidArgument(f"sysctl {name!r} = {value!r} is malformed")
        dotted = name.replace("/", ".")
        if dotted.startswith("net.") and options.network == cri.NODE:
            raise errors.InvalidArgument(f"sysctl {name} is the host's: the pod uses the host's network")
        if dotted.startswith(_IPC_SYSCTLS) and options.ipc == cri.NODE:
            raise errors.InvalidArgument(f"sysctl {name} is the host's: the pod uses the host's IPC")
        if not dotted.startswith(("net.", "user.", *_IPC_SYSCTLS)):
            raise errors.InvalidArgument(f"sysctl {name} is not of a namespace a pod has")
        found[name] = value
    return found


def needs_interface(config: cri.PodSandboxConfig) -> bool:
    """Whether a sysctl is set per interface, so that the interface must be there first."""
    names = (name.replace("/", ".") for name in config.linux.sysctls)
    return any(name.startswith("net.") and (".conf." in name or ".neigh." in name) for name in names)


def _user(context: cri.LinuxSandboxSecurityContext, image_user: str) -> dict[str, Any]:
    """Numbers only: the pause image has no user names."""
    name, _, group = image_user.partition(":")
    uid = context.run_as_user.value if context.HasField("run_as_user") else int(name) if name.isdigit() else 0
    gid = (
        context.run_as_group.value
        if context.HasField("run_as_group")
        else int(group)
        if group.isdigit()
        else 0
    )
    if context.HasField("run_as_group") and not context.HasField("run_as_user"):
        raise errors.InvalidArgument("run_as_group of a sandbox needs run_as_user")
    return {"uid": uid, "gid": gid, "additionalGids": sorted({gid, *context.supplemental_groups})}


def _mounts() -> list[dict[str, Any]]:
    """The least a runtime needs: each mount costs time, and the pause program looks at none of them.

    Masked and read-only paths stay: a container that shares the pod's PID namespace sees this root.
    """
    return [mount for mount in kernel_mounts(privileged=False) if mount["destination"] in ("/proc", "/dev")]


def _annotations(record: SandboxRecord) -> dict[str, str]:
    meta = record.config.metadata
    return {
        "io.kubernetes.cri.container-type": "sandbox",
        "io.kubernetes.cri.sandbox-id": record.id,
        "io.kubernetes.cri.sandbox-name": meta.name,
        "io.kubernetes.cri.sandbox-namespace": meta.namespace,
        "io.kubernetes.cri.sandbox-uid": meta.uid,
        "io.kubernetes.cri.sandbox-log-directory": record.config.log_directory,
    }
