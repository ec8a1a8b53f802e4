"""Every RPC of the CRI has a verb of its own behind it, in both API packages."""

from __future__ import annotations

import dataclasses
import inspect
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from pycri._generated import cri_pb2
from pycri.images import ImageService
from pycri.server import image_service, runtime_service
from pycri.server.rpc import PACKAGES

SERVICES = cri_pb2.DESCRIPTOR.services_by_name


def runtime_tables() -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(runtime_service.RuntimeVerbs)]
    verbs: Any = SimpleNamespace(**{name: mock.MagicMock(name=name) for name in names})
    return runtime_service.tables(verbs)


@pytest.mark.parametrize("package", ["runtime.v1", "runtime.v1alpha2"])
def test_every_rpc_has_its_verb(package: str) -> None:
    assert package in PACKAGES
    images: Any = mock.create_autospec(ImageService, instance=True)
    for service, table in (
        ("RuntimeService", runtime_tables()[package]),
        ("ImageService", image_service.tables(images)[package]),
    ):
        assert set(table) == {method.name for method in SERVICES[service].methods}
        verbs = [verb for verb in table.values() if verb is not None]
        assert len({id(verb) for verb in verbs}) == len(table), "two RPCs share one verb"


def test_no_verb_is_a_stub() -> None:
    """Nothing but CheckpointContainer, where criu cannot do it, knows the status UNIMPLEMENTED."""
    for field in dataclasses.fields(runtime_service.RuntimeVerbs):
        kind = getattr(runtime_service, str(field.type))
        if field.name != "checkpoint_container":
            assert "Unimplemented" not in inspect.getsource(inspect.getmodule(kind)), field.name
