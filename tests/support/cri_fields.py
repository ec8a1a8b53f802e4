"""tests/cri_fields.yml: which test shows each RPC and each request's field at work; and pycri/CRI.md from it.

python -m tests.support.cri_fields writes pycri/CRI.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import Descriptor

from installer.verify.catalogue import all_checks
from pycri._generated import cri_pb2

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "cri_fields.yml"
DOCUMENT = ROOT / "pycri" / "CRI.md"
# What checks and tests go through, so that their own text need not name it.
_FRAMES = {
    "installer": ("installer/verify/pods.py", "installer/verify/shared_pod.py"),
    "tests": ("tests/support/cri_pods.py",),
}


@dataclass(frozen=True)
class Entry:
    """What happens to a field: ``kind`` is ``test``, ``refused`` or ``accepted``."""

    kind: str
    why: str
    by: tuple[str, ...]


def load() -> tuple[dict[str, tuple[str, ...]], dict[str, Entry]]:
    """The tests by RPC, and the entries by ``Message.field`` or ``Message.*``. Raises ValueError."""
    document = yaml.safe_load(TABLE.read_text())
    rpcs = {name: tuple(tests) for name, tests in document["rpcs"].items()}
    fields = {
        f"{message}.{field}": _entry(f"{message}.{field}", value)
        for message, known in document["fields"].items()
        for field, value in known.items()
    }
    return rpcs, fields


def _entry(name: str, value: Any) -> Entry:
    if isinstance(value, list) and value:
        return Entry("test", "", tuple(value))
    if isinstance(value, dict) and value.get("by"):
        for kind in ("refused", "accepted"):
            if set(value) == {kind, "by"}:
                return Entry(kind, value[kind], tuple(value["by"]))
    raise ValueError(f"{name}: {value!r} is neither a list of tests nor refused or accepted with a reason")


def requests() -> dict[str, Descriptor]:
    """Every message that is in a request, by name, in the order of the RPCs."""
    found: dict[str, Descriptor] = {}

    def walk(message: Descriptor) -> None:
        if message.name not in found and not message.GetOptions().map_entry:
            found[message.name] = message
            for field in message.fields:
                if field.message_type is not None:
                    walk(field.message_type)

    for method in methods():
        walk(method.input_type)
    return found


def methods() -> Iterator[Any]:
    """The descriptors of all RPCs."""
    for service in cri_pb2.DESCRIPTOR.services_by_name.values():
        yield from service.methods


def source_of(test: str) -> str:
    """The text of a check or of a test with its decorators. Raises ValueError: there is none of the name."""
    if "::" not in test:
        for check in all_checks():
            if check.id == test:
                return _module_of(check.run.__module__).read_text()
        raise ValueError(f"there is no check {test}")
    path, _, name = test.partition("::")
    file = ROOT / "tests" / path
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    functions = _functions(file)
    if name not in functions:
        raise ValueError(f"there is no test {name} in tests/{path}")
    return functions[name]


def text_around(test: str) -> str:
    """What a check or test is made of: its whole file and its frame. Raises ValueError."""
    if "::" not in test:
        return source_of(test) + "".join((ROOT / path).read_text() for path in _FRAMES["installer"])
    file = ROOT / "tests" / test.partition("::")[0]
    return file.read_text() + "".join((ROOT / path).read_text() for path in _FRAMES["tests"])


def _module_of(name: str) -> Path:
    return ROOT / (name.replace(".", "/") + ".py")


@lru_cache
def _functions(file: Path) -> dict[str, str]:
    text = file.read_text()
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(lines[start - 1 : node.end_lineno])
    return found


def document() -> str:
    """pycri/CRI.md."""
    rpcs, fields = load()
    parts = [_HEAD, "## RPCs\n\n| RPC | shown by |\n|---|---|\n"]
    parts += [f"| {method.name} | {_names(rpcs[method.name])} |\n" for method in methods()]
    parts.append("\n## Fields of requests\n")
    for name, message in requests().items():
        if not message.fields:
            continue
        parts.append(f"\n### {name}\n\n| field | what happens, and what shows it |\n|---|---|\n")
        for field in message.fields:
            entry = fields.get(f"{name}.{field.name}") or fields[f"{name}.*"]
            why = f"{entry.kind}: {entry.why}: " if entry.why else ""
            parts.append(f"| {field.name} | {why}{_names(entry.by)} |\n")
    return "".join(parts)


def _names(tests: tuple[str, ...]) -> str:
    return ", ".join(f"`{test}`" for test in tests)


_HEAD = """# The CRI, field by field

Made from `tests/cri_fields.yml`; a field without a test fails the build. A name without slashes is a check of
`nodestrap verify` (`--check NAME` runs it on any node), the others are in `tests/`. *accepted* changes
nothing, and the reason is given; *refused* is answered with an error.

"""

if __name__ == "__main__":
    DOCUMENT.write_text(document())
