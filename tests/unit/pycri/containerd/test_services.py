"""Every call that the client makes exists in the service it names, with the types it sends."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[4] / "pycri" / "containerd"
SERVICES = sorted(path.stem for path in PACKAGE.glob("*.py") if "_SERVICE = " in path.read_text())


def test_all_services_are_here() -> None:
    assert SERVICES == [
        "containers", "content", "diff", "events", "images", "introspection", "leases", "namespaces",
        "sandboxes", "snapshots", "tasks", "version",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_methods_exist_and_reply_types_match(name: str) -> None:
    module = importlib.import_module(f"pycri.containerd.{name}")
    calls = [
        node
        for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("unary", "server_stream", "bidirectional")
    ]
    assert calls
    for call in calls:
        method, reply = call.args[1], call.args[-1]
        assert isinstance(method, ast.Constant)
        described = module._SERVICE.methods_by_name[method.value]
        kind = eval(ast.unparse(reply), vars(module))
        assert described.output_type.full_name == kind.DESCRIPTOR.full_name, method.value
        streams = {"unary": (False, False), "server_stream": (False, True), "bidirectional": (True, True)}
        assert isinstance(call.func, ast.Attribute)
        assert (described.client_streaming, described.server_streaming) == streams[call.func.attr]
