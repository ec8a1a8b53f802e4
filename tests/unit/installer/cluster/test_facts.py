from __future__ import annotations

import pytest

from installer.cluster.facts import facts_from_answer


def test_host_without_python_has_few_facts() -> None:
    answer = {"machine": "aarch64", "uid": 0, "os_release": {"ID": "debian"}}
    facts = facts_from_answer(answer, sent=1.0, received=2.0)
    assert facts.architecture == "arm64"
    assert facts.python_path is None
    assert facts.clock_skew is None
    assert facts.disks == {}


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", "amd64"), ("riscv64", None)])
def test_architecture(machine: str, architecture: str | None) -> None:
    assert facts_from_answer({"machine": machine}, sent=0, received=0).architecture == architecture


def test_clock_skew_is_against_the_middle_of_the_round_trip() -> None:
    facts = facts_from_answer({"time": 110.0}, sent=99.0, received=101.0)
    assert facts.clock_skew == 10.0
    assert facts.clock_error == 1.0
