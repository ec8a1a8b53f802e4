from __future__ import annotations

from dataclasses import replace

import pytest

from installer.errors import UsageError
from installer.preflight.matrix import CHECKS, by_finding, check_names, run_matrix
from tests.unit.installer.hosts import HEALTHY, host


def test_every_check_on_every_host_and_no_early_end() -> None:
    sick = replace(HEALTHY, uid=1000, swaps=("/dev/sda2",), listening={10250: "nginx"})
    results = run_matrix([host("node1", facts=sick), host("node2")])
    assert len(results) == 2 * len(CHECKS)
    assert {result.check for result in results if result.failed} == {"privileges", "ports"}


def test_skipping_by_option_and_by_variable() -> None:
    sick = replace(HEALTHY, uid=1000, listening={10250: "nginx"})
    results = run_matrix([host("node1", facts=sick, nodestrap_skip_checks=["ports"])], ["privileges"])
    assert [result.check for result in results if result.skipped] == ["privileges", "ports"]
    assert not any(result.failed for result in results)


def test_hosts_without_facts_are_left_out() -> None:
    assert run_matrix([host(facts=None)]) == []


def test_a_shared_finding_is_one() -> None:
    results = run_matrix([host(name, facts=replace(HEALTHY, swaps=("/s",))) for name in ("node1", "node2")])
    assert [hosts for (check, _), hosts in by_finding(results).items() if check == "swap"] == [
        ["node1", "node2"]
    ]


def test_unknown_check_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="Did you mean 'ports'") as error:
        check_names(["port"])
    assert error.value.exit_code == 2
