"""Short spellings of container configurations that checks use often."""

from __future__ import annotations

from typing import Any

from pycri._generated import cri_pb2


def security(**fields: Any) -> cri_pb2.LinuxContainerConfig:
    """A LinuxContainerConfig whose security_context has `fields`."""
    return cri_pb2.LinuxContainerConfig(security_context=cri_pb2.LinuxContainerSecurityContext(**fields))


def resources(**fields: Any) -> cri_pb2.LinuxContainerConfig:
    """A LinuxContainerConfig whose resources have `fields`."""
    return cri_pb2.LinuxContainerConfig(resources=cri_pb2.LinuxContainerResources(**fields))


def profile(kind: str, path: str = "") -> cri_pb2.SecurityProfile:
    """``RuntimeDefault``, ``Unconfined``, or ``Localhost`` with the profile's path or name."""
    return cri_pb2.SecurityProfile(profile_type=kind, localhost_ref=path)
