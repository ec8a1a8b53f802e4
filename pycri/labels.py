"""Labels of containerd's container records: the CRI's, and those other tools look for."""

from __future__ import annotations

from collections.abc import Mapping

KIND = "io.cri-containerd.kind"  # cAdvisor finds a pod's network by it
SANDBOX, CONTAINER = "sandbox", "container"
RECORD_EXTENSION = "pycri.v1.record"  # our own record, for when the database is lost
_RECORD_TYPES = {SANDBOX: "pycri.v1.Sandbox", CONTAINER: "pycri.v1.Container"}
_MAX_BYTES = 4096  # containerd refuses key and value longer than this together


def of_record(kind: str, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` (users write into pod labels) without what containerd or we would act on."""
    kept = {
        key: value
        for key, value in given.items()
        if not _reserved(key) and len(key.encode()) + len(value.encode()) <= _MAX_BYTES
    }
    return {**kept, KIND: kind}


def record_type(kind: str) -> str:
    return _RECORD_TYPES[kind]


def _reserved(key: str) -> bool:
    prefix = key.partition("/")[0]
    return prefix == "containerd.io" or prefix.endswith(".containerd.io") or key == KIND
