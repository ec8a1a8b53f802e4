"""``google.protobuf.Any`` as containerd writes it: the type's name, without a host in front."""

from __future__ import annotations

import json
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

#: JSON documents that containerd stores in an Any, by the type URL it gives them.
SPEC_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
PROCESS_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Process"
RESOURCES_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

M = TypeVar("M", bound=Message)


def pack(message: Message) -> Any:
    """``message`` in an Any."""
    return Any(type_url=message.DESCRIPTOR.full_name, value=message.SerializeToString())


def pack_json(type_url: str, document: object) -> Any:
    """An OCI document (spec, process, resources) in an Any, as compact JSON."""
    return Any(type_url=type_url, value=json.dumps(document, separators=(",", ":")).encode())


def unpack(value: Any, kind: type[M]) -> M:
    """The message in ``value``; ValueError if it holds another type."""
    if type_name(value) != kind.DESCRIPTOR.full_name:
        raise ValueError(f"an Any holds {value.type_url}, not {kind.DESCRIPTOR.full_name}")
    return kind.FromString(value.value)


def unpack_json(value: Any) -> object:
    """The JSON document in ``value``."""
    document: object = json.loads(value.value)
    return document


def type_name(value: Any) -> str:
    """The full name of the type in ``value``, with or without a host in its URL."""
    return value.type_url.rsplit("/", 1)[-1]
