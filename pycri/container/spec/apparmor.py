"""AppArmor profiles of containers, where the kernel has AppArmor.

RuntimeDefault is pycri's own profile; it is loaded when it is first needed, where ``apparmor_parser`` is
installed. A profile that is asked for and cannot be had is an error, never left out silently.
"""

from __future__ import annotations

import functools
import logging
import subprocess
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri

log = logging.getLogger(__name__)

_ENABLED = Path("/sys/module/apparmor/parameters/enabled")
_LOADED = Path("/sys/kernel/security/apparmor/profiles")
_PARSER = "apparmor_parser"
_PARSER_TIMEOUT = 30.0
DEFAULT_PROFILE = "pycri-default"
# No includes: a node may have the parser and not its library of profiles. What is denied wins over "file".
DEFAULT_TEXT = f"""
profile {DEFAULT_PROFILE} flags=(attach_disconnected,mediate_deleted) {{
  capability,
  network,
  file,
  umount,
  unix,
  signal (receive) peer=unconfined,
  signal (receive) peer={{runc,crun,containerd*,*/runc,*/crun}},
  signal (send,receive) peer={DEFAULT_PROFILE},
  ptrace (read,readby,trace,tracedby) peer={DEFAULT_PROFILE},

  deny mount,
  deny pivot_root,
  deny /proc/* w,
  deny /proc/{{acpi,bus,fs,irq,scsi,tty}}/** wklx,
  deny /proc/{{kcore,kmem,mem,sysrq-trigger}} rwklx,
  deny /proc/sys/{{abi,debug,dev,fs,user,vm}}/** wklx,
  deny /proc/sys/kernel/{{[^smn],s[^he],m[^s],n[^g]}}** wklx,
  deny /sys/{{block,bus,class,dev,devices,firmware,hypervisor,kernel,module,power}}/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
}}
"""


def of_container(context: cri.LinuxContainerSecurityContext) -> str:
    """The profile's name for the OCI process; empty for none. Raises InvalidArgument."""
    kind, name = _wanted(context)
    if kind == cri.SecurityProfile.Localhost:
        return _named(name)
    if context.privileged:
        return ""
    if kind == cri.SecurityProfile.Unconfined:
        return "unconfined" if enabled() else ""
    if enabled() and load_default():
        return DEFAULT_PROFILE
    if kind is not None:
        why = (
            f"{_PARSER} is not installed, so {DEFAULT_PROFILE} cannot be loaded"
            if enabled()
            else "this host has no AppArmor"
        )
        raise errors.InvalidArgument(f"the AppArmor profile RuntimeDefault is wanted, but {why}")
    return ""


@functools.cache
def enabled() -> bool:
    """Whether the kernel has AppArmor, switched on."""
    return _ENABLED.exists() and _ENABLED.read_text().strip() == "Y"


def load_default() -> bool:
    """See that the default profile is loaded; whether it is."""
    if _is_loaded(DEFAULT_PROFILE):
        return True
    try:
        subprocess.run(
            [_PARSER, "--replace", "--skip-cache"],
            input=DEFAULT_TEXT.encode(),
            capture_output=True,
            timeout=_PARSER_TIMEOUT,
            check=True,
        )
    except FileNotFoundError:
        _say_no_parser()
        return False
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        log.warning("the AppArmor profile %s cannot be loaded: %s %s", DEFAULT_PROFILE, error, output)
        return False
    return True


@functools.cache
def _say_no_parser() -> None:
    log.warning("this host has AppArmor but no %s: containers get no default profile", _PARSER)


def _named(name: str) -> str:
    if name == "unconfined":
        return name
    if not enabled():
        raise errors.InvalidArgument(f'AppArmor profile "{name}" is wanted, but this host has no AppArmor')
    if not _is_loaded(name):
        raise errors.InvalidArgument(f'AppArmor profile "{name}" is not loaded on this host')
    return name


def _wanted(context: cri.LinuxContainerSecurityContext) -> tuple[Any, str]:
    """Kind (None: nobody said) and name; kubelets before 1.30 know only the string."""
    if context.HasField("apparmor"):
        return context.apparmor.profile_type, context.apparmor.localhost_ref.removeprefix("localhost/")
    old = context.apparmor_profile
    if not old:
        return None, ""
    if old == "runtime/default":
        return cri.SecurityProfile.RuntimeDefault, ""
    if old == "unconfined":
        return cri.SecurityProfile.Unconfined, ""
    return cri.SecurityProfile.Localhost, old.removeprefix("localhost/")


def _is_loaded(name: str) -> bool:
    try:
        return any(line.rpartition(" (")[0] == name for line in _LOADED.read_text().splitlines())
    except OSError:
        return False
