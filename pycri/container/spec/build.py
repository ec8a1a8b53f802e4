"""The OCI runtime spec of a container, assembled from its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import (
    cdi,
    devices,
    id_mappings,
    mounts,
    namespaces,
    process,
    resources,
    seccomp,
    selinux,
    users,
)
from pycri.runtime_features import Features

OCI_VERSION = "1.0.2"
# What the pod's own process may not see of /proc and /sys: the CRI has no field for it.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


_NO_FEATURES = Features()


@dataclass(frozen=True)
class Pod:
    """What a container takes from its sandbox."""

    id: str
    config: cri.PodSandboxConfig
    pid: int
    netns: str
    hostname: str
    files: mounts.SandboxFiles


def container_spec(
    config: cri.ContainerConfig,
    image: dict[str, Any],
    image_name: str,
    user: users.User,
    pod: Pod,
    cgroup: str,
    *,
    target_pid: int = 0,
    features: Features = _NO_FEATURES,
) -> dict[str, Any]:
    """The whole spec. Raises InvalidArgument and FailedPrecondition for what the CRI config gets wrong."""
    context = config.linux.security_context
    mappings = _mappings(context, pod.config)
    on_hosts_network = pod.config.linux.security_context.namespace_options.network == cri.NODE
    found_mounts, propagation = mounts.of_container(
        config.mounts,
        pod.files,
        privileged=context.privileged,
        readonly_rootfs=context.readonly_rootfs,
        features=features,
        hosts_sys=mappings is not None and on_hosts_network,
    )
    started = process.of_container(config, image, pod.hostname, user)
    label = selinux.process_label(
        context.selinux_options,
        pod.config.linux.security_context.selinux_options,
        privileged=context.privileged,
    )
    if label:
        started["selinuxLabel"] = label
        for mount in config.mounts:
            if mount.selinux_relabel:
                selinux.relabel(mount.host_path, selinux.file_label(label))
    nodes, rules = devices.of_container(config.devices, context.privileged)
    limits = resources.of_container(config.linux.resources)
    limits["devices"] = rules
    linux: dict[str, Any] = {
        "namespaces": namespaces.of_container(
            context.namespace_options,
            pod.config.linux.security_context.namespace_options,
            pod.pid,
            pod.netns,
            context.privileged,
            target_pid,
        ),
        "cgroupsPath": cgroup,
        "resources": limits,
    }
    if label:
        linux["mountLabel"] = selinux.file_label(label)
    if mappings is not None:
        linux |= mappings.oci()
    if nodes:
        linux["devices"] = nodes
    if propagation:
        linux["rootfsPropagation"] = propagation
    if not context.privileged:
        # as they are: the kubelet always sends its lists, but for procMount Unmasked, which means none
        linux["maskedPaths"] = [*context.masked_paths]
        linux["readonlyPaths"] = [*context.readonly_paths]
        profile = seccomp.of_container(
            context.seccomp if context.HasField("seccomp") else None,
            context.seccomp_profile_path,
            started["capabilities"]["bounding"],
        )
        if profile is not None:
            linux["seccomp"] = profile
    spec = {
        "ociVersion": OCI_VERSION,
        "process": started,
        "root": {"path": "rootfs", "readonly": context.readonly_rootfs},
        "mounts": found_mounts,
        "annotations": describe(pod, config, image_name),
        "linux": linux,
    }
    if config.CDI_devices:
        cdi.apply(spec, [device.name for device in config.CDI_devices])
    return spec


def _mappings(
    context: cri.LinuxContainerSecurityContext, pod: cri.PodSandboxConfig
) -> id_mappings.IdMappings | None:
    """The pod's: its containers share its user namespace. Raises InvalidArgument."""
    mappings = id_mappings.of_pod(pod.linux.security_context.namespace_options)
    wanted = id_mappings.of_pod(context.namespace_options)
    if context.namespace_options.HasField("userns_options") and wanted != mappings:
        raise errors.InvalidArgument("the container's user namespace is not its pod's")
    if mappings is not None and context.privileged:
        raise errors.InvalidArgument(
            "a privileged container cannot be in a pod with a user namespace: set hostUsers: true"
        )
    return mappings


def describe(pod: Pod, config: cri.ContainerConfig, image_name: str) -> dict[str, str]:
    """What shims and observers read; the shim groups a pod's containers by sandbox-id."""
    meta = pod.config.metadata
    return {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.sandbox-id": pod.id,
        "io.kubernetes.cri.sandbox-name": meta.name,
        "io.kubernetes.cri.sandbox-namespace": meta.namespace,
        "io.kubernetes.cri.sandbox-uid": meta.uid,
        "io.kubernetes.cri.container-name": config.metadata.name,
        "io.kubernetes.cri.image-name": image_name,
    }
