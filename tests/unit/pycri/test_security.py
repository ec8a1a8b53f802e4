"""pycri/SECURITY.md: every class of attack has tests, and each test it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECTIONS = (ROOT / "pycri/SECURITY.md").read_text().split("\n## ")[1:]


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_class_has_a_defence_and_tests_that_exist() -> None:
    for section in SECTIONS:
        title, _, text = section.partition("\n")
        named = re.findall(r"^- `(\S+?)::(\w+)`$", text, re.MULTILINE)
        assert named, f'"{title}" names no test'
        assert len(named) == text.count("\n- "), f'"{title}": a line is not `path::test`'
        for path, test in named:
            assert (ROOT / path).is_file(), f'"{title}" names {path}, which does not exist'
            assert test in functions_of(ROOT / path), f'"{title}" names {path}::{test}, which does not exist'


def test_known_instances_are_named() -> None:
    known = set(re.findall(r"(?:CVE-\d{4}-\d+|GHSA-[\w-]+)", "".join(SECTIONS)))
    assert len(SECTIONS) >= 15
    assert len(known) >= 30
