"""Ansible's modules need a Python on the host; pycri needs a newer one, which the role can install."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_ANSIBLE = (3, 8)  # ansible-core 2.18 and 2.19 manage hosts with Python 3.8 and newer
_PYCRI = (3, 10)


def check(subject: Subject) -> Iterator[Finding]:
    facts = subject.facts
    if facts.python_path is None:
        yield error(
            "there is no python3 on it", "install python3 (apt-get install python3, dnf install python3)"
        )
    elif facts.python_version[:2] < _ANSIBLE:
        yield error(
            f"{facts.python_path} is Python {_text(facts.python_version)}; Ansible needs 3.8 or newer",
            "install a newer Python and set ansible_python_interpreter to it",
        )
    elif facts.python_version[:2] < _PYCRI and not any(_new_enough(name) for name in facts.pythons):
        yield warning(
            f"its newest Python is {_text(facts.python_version)}; pycri needs 3.10",
            "nothing to do where the distribution has a newer one beside it: the role installs that",
        )


def _new_enough(name: str) -> bool:
    """``python3.11`` says so by its name; plain ``python3`` was the one measured."""
    minor = name.removeprefix("python3.")
    return minor.isdigit() and (3, int(minor)) >= _PYCRI


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
