"""Runs the modules of playbooks/library in this process, as Ansible would with these arguments."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


def load(name: str, receipts: Path) -> ModuleType:
    """The module's code, with its receipts and originals kept below ``receipts``."""
    shared = load_shared("nodestrap_receipt")
    shared.RECEIPTS = str(receipts / "receipts")
    shared.ORIGINALS = str(receipts / "originals")
    for other in ("nodestrap_packet_filter", "nodestrap_grpc"):
        load_shared(other)
    return _execute(f"nodestrap_library.{name}", PLAYBOOKS / f"library/{name}.py")


def load_shared(name: str) -> ModuleType:
    """The code of one of playbooks/module_utils."""
    return _execute(f"ansible.module_utils.{name}", PLAYBOOKS / f"module_utils/{name}.py")


def run(module: ModuleType, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """The module's answer; ``failed`` is in it when it failed."""
    output = io.StringIO()
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(given), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    answer: dict[str, Any] = json.loads(output.getvalue())
    return answer


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
