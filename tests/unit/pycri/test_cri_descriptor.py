"""Our CRI proto against the upstream file, as Debian ships it: every message, field, number and type."""

from __future__ import annotations

from pathlib import Path

import grpc_tools
import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from pycri._generated import cri_pb2
from tests.support import debian

UPSTREAM = "usr/share/gocode/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pb2.FileDescriptorProto:
    proto = debian.unpack("sid", "golang-k8s-cri-api-dev") / UPSTREAM
    out = tmp_path_factory.mktemp("descriptor") / "set"
    include = Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(
        ["protoc", f"-I{proto.parent}", f"-I{include}", f"--descriptor_set_out={out}", str(proto)]
    )
    assert code == 0
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]


@pytest.fixture(scope="module")
def ours() -> descriptor_pb2.FileDescriptorProto:
    proto = descriptor_pb2.FileDescriptorProto()
    cri_pb2.DESCRIPTOR.CopyToProto(proto)
    return proto


def fields(message: descriptor_pb2.DescriptorProto, prefix: str = "") -> dict[str, tuple[object, ...]]:
    """Every field below a message: full name -> (number, type, type name, label, oneof)."""
    name = f"{prefix}{message.name}"
    found: dict[str, tuple[object, ...]] = {name: ()}
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
        shape = (field.number, field.type, field.type_name, field.label, oneof)
        found[f"{name}.{field.name}"] = shape
    for nested in message.nested_type:
        found |= fields(nested, f"{name}.")
    for enum in message.enum_type:
        found |= enum_values(enum, f"{name}.")
    return found


def enum_values(enum: descriptor_pb2.EnumDescriptorProto, prefix: str = "") -> dict[str, tuple[object, ...]]:
    return {f"{prefix}{enum.name}.{value.name}": (value.number,) for value in enum.value}


def surface(proto: descriptor_pb2.FileDescriptorProto) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for message in proto.message_type:
        found |= fields(message)
    for enum in proto.enum_type:
        found |= enum_values(enum)
    for service in proto.service:
        for method in service.method:
            shape = (method.input_type, method.output_type, method.client_streaming, method.server_streaming)
            found[f"{service.name}/{method.name}"] = shape
    return found


def test_same_package(
    ours: descriptor_pb2.FileDescriptorProto, upstream: descriptor_pb2.FileDescriptorProto
) -> None:
    assert ours.package == upstream.package == "runtime.v1"


def test_same_surface(
    ours: descriptor_pb2.FileDescriptorProto, upstream: descriptor_pb2.FileDescriptorProto
) -> None:
    mine, theirs = surface(ours), surface(upstream)
    assert len(theirs) > 800, "the upstream descriptor was not read whole"
    assert mine.keys() == theirs.keys()
    assert {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]} == {}
