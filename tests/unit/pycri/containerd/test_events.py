from __future__ import annotations

from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from pycri._generated.containerd_task_events_pb2 import TaskExit, TaskOOM
from pycri._generated.containerd_types_pb2 import Envelope
from pycri.containerd.anys import pack, pack_json, unpack, unpack_json
from pycri.containerd.events import Event, ImageChanged, decode


def envelope(topic: str, payload: Any) -> Envelope:
    made = Envelope(namespace="k8s.io", topic=topic, event=payload)
    made.timestamp.FromNanoseconds(7)
    return made


def test_task_events_come_as_their_messages() -> None:
    exited = TaskExit(container_id="c", id="c", pid=3, exit_status=137)
    assert decode(envelope("/tasks/exit", pack(exited))) == Event("/tasks/exit", 7, exited)
    with_host = Any(type_url="type.googleapis.com/containerd.events.TaskOOM", value=b"\n\x01c")
    assert decode(envelope("/tasks/oom", with_host)) == Event("/tasks/oom", 7, TaskOOM(container_id="c"))


def test_image_events_come_as_names_whatever_their_package() -> None:
    for package in ("containerd.services.images.v1", "containerd.events"):
        payload = Any(type_url=f"{package}.ImageCreate", value=b"\n\x03a:1\x12\x04\n\x00\x12\x00")
        decoded = decode(envelope("/images/create", payload))
        assert decoded == Event("/images/create", 7, ImageChanged("a:1"))


def test_unknown_types_are_left_out() -> None:
    assert decode(envelope("/snapshot/prepare", Any(type_url="containerd.events.SnapshotPrepare"))) is None


@given(st.sampled_from(["/images/create", "/tasks/exit"]), st.binary(max_size=40))
def test_malformed_payloads_are_left_out(topic: str, value: bytes) -> None:
    decode(envelope(topic, Any(type_url="containerd.events.TaskExit", value=value)))


def test_anys_round_trip() -> None:
    assert unpack(pack(TaskOOM(container_id="c")), TaskOOM) == TaskOOM(container_id="c")
    assert pack(TaskOOM()).type_url == "containerd.events.TaskOOM"
    assert unpack_json(pack_json("url", {"a": [1]})) == {"a": [1]}
