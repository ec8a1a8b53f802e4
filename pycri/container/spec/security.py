"""AppArmor and SELinux of a process, where the host has them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri

_ENABLED = Path("/sys/module/apparmor/parameters/enabled")
_LOADED = Path("/sys/kernel/security/apparmor/profiles")
DEFAULT_PROFILE = "cri-containerd.apparmor.d"


def labels(context: cri.LinuxContainerSecurityContext) -> dict[str, str]:
    """``apparmorProfile`` and ``selinuxLabel`` of the OCI process. Raises InvalidArgument."""
    found: dict[str, str] = {}
    profile = _apparmor(context)
    if profile:
        found["apparmorProfile"] = profile
    options = context.selinux_options
    if context.HasField("selinux_options") and selinux_enabled() and options.type:
        found["selinuxLabel"] = ":".join(
            (options.user or "system_u", options.role or "system_r", options.type, options.level or "s0")
        )
    return found


@functools.cache
def apparmor_enabled() -> bool:
    return _ENABLED.exists() and _ENABLED.read_text().strip() == "Y"


@functools.cache
def selinux_enabled() -> bool:
    return Path("/sys/fs/selinux/enforce").exists()


def _apparmor(context: cri.LinuxContainerSecurityContext) -> str:
    if context.privileged:
        return ""
    kind, name = _wanted(context)
    if kind == cri.SecurityProfile.Unconfined:
        return "unconfined" if apparmor_enabled() and context.HasField("apparmor") else ""
    if kind == cri.SecurityProfile.RuntimeDefault:
        # Applied where an administrator (or containerd before us) has loaded it.
        return DEFAULT_PROFILE if apparmor_enabled() and _is_loaded(DEFAULT_PROFILE) else ""
    if not apparmor_enabled():
        raise errors.InvalidArgument(f'AppArmor profile "{name}" is wanted, but this host has no AppArmor')
    if not _is_loaded(name):
        raise errors.InvalidArgument(f'AppArmor profile "{name}" is not loaded on this host')
    return name


def _wanted(context: cri.LinuxContainerSecurityContext) -> tuple[Any, str]:
    if context.HasField("apparmor"):
        return context.apparmor.profile_type, context.apparmor.localhost_ref
    old = context.apparmor_profile
    if old in ("", "runtime/default"):
        return cri.SecurityProfile.RuntimeDefault, ""
    if old == "unconfined":
        return cri.SecurityProfile.Unconfined, ""
    return cri.SecurityProfile.Localhost, old.removeprefix("localhost/")


def _is_loaded(name: str) -> bool:
    try:
        return any(line.rpartition(" (")[0] == name for line in _LOADED.read_text().splitlines())
    except OSError:
        return False
