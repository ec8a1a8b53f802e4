"""Seccomp profiles: RuntimeDefault, Localhost, Unconfined (CRI SecurityProfile, OCI ``linux.seccomp``)."""

from __future__ import annotations

import errno
import functools
import json
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri

_DEFAULT_FILE = Path(__file__).with_name("seccomp_default.txt")
_MAX_PROFILE_BYTES = 8 << 20
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    "ppc64le": ["SCMP_ARCH_PPC64LE"],
    "s390x": ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
    "riscv64": ["SCMP_ARCH_RISCV64"],
}
# clone(2) flags that make a namespace: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NAMESPACE_FLAGS = 0x7E020000
_AF_VSOCK = 40
# personality(2) values that change nothing dangerous
_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)


def of_container(
    profile: cri.SecurityProfile | None, old_path: str, capabilities: Collection[str]
) -> dict[str, Any] | None:
    """The OCI profile, None for unconfined. ``old_path`` is the deprecated seccomp_profile_path.

    Raises InvalidArgument: a Localhost file that is not there or not a profile.
    """
    if profile is None:
        profile = _of_old_path(old_path)
    if profile.profile_type == cri.SecurityProfile.Unconfined:
        return None
    if profile.profile_type == cri.SecurityProfile.RuntimeDefault:
        return default_profile(frozenset(capabilities), platform.machine())
    return _localhost(profile.localhost_ref)


@functools.cache
def default_profile(capabilities: frozenset[str], machine: str) -> dict[str, Any]:
    """RuntimeDefault for a process with ``capabilities``. Treat as constant."""
    names: list[str] = []
    for words in _rules():
        if words and words[0].startswith(("cap:", "arch:")):
            kind, value = words[0].split(":")
            if value not in (capabilities if kind == "cap" else (machine,)):
                continue
            words = words[1:]
        names += words
    calls: list[dict[str, Any]] = [
        {"names": sorted(set(names)), "action": "SCMP_ACT_ALLOW"},
        # a hypervisor's sockets are the host's, not a container's
        _when("socket", 0, _AF_VSOCK, "SCMP_CMP_NE"),
    ]
    calls += [_when("personality", 0, value, "SCMP_CMP_EQ") for value in _PERSONALITIES]
    if "CAP_SYS_ADMIN" not in capabilities:
        position = 1 if machine == "s390x" else 0
        calls.append(_when("clone", position, _NAMESPACE_FLAGS, "SCMP_CMP_MASKED_EQ", 0))
        calls.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": _ARCHITECTURES.get(machine, []),
        "syscalls": calls,
    }


@functools.cache
def _rules() -> tuple[list[str], ...]:
    rules = []
    for line in _DEFAULT_FILE.read_text().splitlines():
        words = line.split()
        if words and words[0] == "allow":
            rules.append(words[1:])
    return tuple(rules)


def _when(name: str, index: int, value: int, operator: str, second: int | None = None) -> dict[str, Any]:
    argument = {"index": index, "value": value, "op": operator}
    if second is not None:
        argument["valueTwo"] = second
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}


def _of_old_path(path: str) -> cri.SecurityProfile:
    if path in ("runtime/default", "docker/default"):
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
    if path in ("", "unconfined"):
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)
    if path.startswith("localhost/"):
        return cri.SecurityProfile(
            profile_type=cri.SecurityProfile.Localhost, localhost_ref=path[len("localhost/") :]
        )
    raise errors.InvalidArgument(
        f'seccomp profile "{path}" is none of runtime/default, unconfined, localhost/…'
    )


def _localhost(path: str) -> dict[str, Any]:
    if not path.startswith("/"):
        raise errors.InvalidArgument(
            f'the path of a Localhost seccomp profile must be absolute, not "{path}"'
        )
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_PROFILE_BYTES + 1)
        profile = json.loads(data)
    except (OSError, ValueError) as error:
        raise errors.InvalidArgument(f"seccomp profile {path} cannot be used: {error}") from error
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise errors.InvalidArgument(f'seccomp profile {path} has no "defaultAction"')
    return profile
