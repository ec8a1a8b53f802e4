"""The records of one sandbox and one container, and how they become bytes.

A record is immutable; a change is ``dataclasses.replace`` given to the store. The CRI config keeps its own
wire form inside; everything else is JSON, so that a later pycri may add facts and an older one ignore them.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pycri._generated import cri_pb2 as cri

CREATED, RUNNING, EXITED, UNKNOWN = (
    cri.CONTAINER_CREATED,
    cri.CONTAINER_RUNNING,
    cri.CONTAINER_EXITED,
    cri.CONTAINER_UNKNOWN,
)


@dataclass(frozen=True)
class SandboxRecord:
    """A pod sandbox. Times are nanoseconds since the epoch, 0: not yet."""

    id: str
    config: cri.PodSandboxConfig
    created_at: int
    handler: str = ""  # as asked for; empty is the default runtime
    ready: bool = False
    created: bool = False  # RunPodSandbox has succeeded; until then the sandbox is not listed
    netns: str = ""  # path; empty: the host's network
    network: str = ""  # the conflist (JSON) that ADD used; empty: no ADD was begun, or DEL is done
    result: str = ""  # the CNI result (JSON)
    ips: tuple[str, ...] = ()
    pid: int = 0
    image_id: str = ""
    cgroup: str = ""  # the cgroups path in the OCI spec
    exited_at: int = 0
    stopped: bool = False  # StopPodSandbox has ended every process and released the network
    cleared: bool = False  # containerd has forgotten the pause container
    overhead: str = ""  # LinuxContainerResources of UpdatePodSandboxResources, base64
    resources: str = ""

    @property
    def name(self) -> str:
        """Unique per attempt: two sandboxes may not carry the same."""
        meta = self.config.metadata
        return f"{meta.name}_{meta.namespace}_{meta.uid}_{meta.attempt}"

    @property
    def listed(self) -> bool:
        return self.created

    @property
    def state(self) -> int:
        return cri.SANDBOX_READY if self.ready else cri.SANDBOX_NOTREADY

    def entry(self) -> bytes:
        """The serialized ``PodSandbox`` of ListPodSandbox."""
        return cri.PodSandbox(
            id=self.id,
            metadata=self.config.metadata,
            state=cast(cri.PodSandboxState, self.state),
            created_at=self.created_at,
            labels=self.config.labels,
            annotations=self.config.annotations,
            runtime_handler=self.handler,
        ).SerializeToString()


@dataclass(frozen=True)
class ContainerRecord:
    """A container. Times are nanoseconds since the epoch, 0: not yet."""

    id: str
    sandbox_id: str
    sandbox_name: str
    config: cri.ContainerConfig
    created_at: int
    created: bool = False  # CreateContainer has succeeded; until then the container is not listed
    state: int = CREATED
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    oom_killed: bool = False
    pid: int = 0
    image_id: str = ""
    image_ref: str = ""  # repo digest if there is one, else the id
    image_name: str = ""  # a tag of the image, for people
    log_path: str = ""  # absolute; empty: no log
    process: str = ""  # the OCI process (JSON), for exec
    stop_signal: int = 15
    cgroup: str = ""
    user: tuple[int, int, tuple[int, ...]] = (0, 0, ())
    removing: bool = False
    image_volumes: tuple[str, ...] = ()  # for each mount of the config the image's id, if it is one

    @property
    def name(self) -> str:
        """Unique per attempt and sandbox."""
        meta = self.config.metadata
        return f"{meta.name}_{self.sandbox_name}_{meta.attempt}"

    @property
    def listed(self) -> bool:
        return self.created

    def entry(self) -> bytes:
        """The serialized ``Container`` of ListContainers."""
        return cri.Container(
            id=self.id,
            pod_sandbox_id=self.sandbox_id,
            metadata=self.config.metadata,
            image=self.config.image,
            image_ref=self.image_id,
            state=cast(cri.ContainerState, self.state),
            created_at=self.created_at,
            labels=self.config.labels,
            annotations=self.config.annotations,
            image_id=self.image_id,
        ).SerializeToString()


Record = TypeVar("Record", SandboxRecord, ContainerRecord)
_CONFIGS: dict[type, Any] = {SandboxRecord: cri.PodSandboxConfig, ContainerRecord: cri.ContainerConfig}


def dump(record: SandboxRecord | ContainerRecord) -> bytes:
    """A record as JSON, for SQLite and for containerd's extensions."""
    facts = {
        item.name: getattr(record, item.name)
        for item in dataclasses.fields(record)
        if item.name == "id" or getattr(record, item.name) != item.default
    }
    facts["config"] = base64.b64encode(record.config.SerializeToString()).decode()
    return json.dumps(facts, separators=(",", ":")).encode()


def load(kind: type[Record], data: bytes) -> Record:
    """The record that ``dump`` wrote; facts of a newer pycri are ignored. Raises ValueError."""
    facts = json.loads(data)
    if not isinstance(facts, dict):
        raise ValueError("a record is a JSON object")
    known = {item.name for item in dataclasses.fields(kind)}
    facts = {name: _tuples(value) for name, value in facts.items() if name in known}
    try:
        facts["config"] = _CONFIGS[kind].FromString(base64.b64decode(facts["config"]))
        return kind(**facts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
