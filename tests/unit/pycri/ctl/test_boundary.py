"""The daemon and its command are strangers: neither pays for what the other imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pycri

PACKAGE = Path(pycri.__file__).parent
SHARED = ("pycri.ctl", "pycri._generated", "pycri.version", "pycri.config", "pycri.streaming")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in found if name.split(".")[0] == "pycri" and name != "pycri"}


def test_the_daemon_imports_nothing_of_ctl() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if "ctl" not in path.relative_to(PACKAGE).parts]
    using = {
        str(path.relative_to(PACKAGE)) for path in others if any("pycri.ctl" in n for n in imported(path))
    }
    assert using == {"cli.py"}  # inside the function that runs it


def test_ctl_imports_nothing_of_the_daemon() -> None:
    paths = list((PACKAGE / "ctl").rglob("*.py"))
    assert paths
    for path in paths:
        for name in imported(path):
            assert name.startswith(SHARED), f"{path.relative_to(PACKAGE)} imports {name}"
