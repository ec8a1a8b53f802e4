"""Every check is well described, found once, and can be chosen."""

from __future__ import annotations

import re

import pytest

from installer.errors import UsageError
from installer.verify.catalogue import all_checks, select
from installer.verify.check import Check

CHECKS = all_checks()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_describes_itself(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", check.id)
    assert check.title[0].isupper() or check.title.startswith(("kubeadm", "crictl"))
    assert not check.title.endswith(".")
    assert len(check.proves) > 20
    assert len(check.fix) > 20


def test_one_check_per_file_named_after_it() -> None:
    for check in CHECKS:
        module = check.run.__module__.rpartition(".")[2]
        assert module == check.id.replace(".", "_").replace("-", "_")
        assert check.run.__module__.split(".")[-2] == f"tier{check.tier}"


def test_gates_come_first_and_afters_last_in_their_tier() -> None:
    assert CHECKS[0].id == "api.version"
    tier1 = [check for check in CHECKS if check.tier == 1]
    assert [check.id for check in tier1 if check.after] == [check.id for check in tier1[-2:]]
    assert [check.id for check in tier1[-2:]] == ["host.leaks", "image.remove"]
    assert tier1[0].id == "image.pull-tag"


def test_disruptive_checks_run_on_request_only() -> None:
    assert "daemon.restart" not in {check.id for check in select((0, 1))}
    assert "daemon.restart" in {check.id for check in select((0, 1), disruptive=True)}
    assert [check.id for check in select((0,), ["daemon.restart"])] == ["daemon.restart"]


def test_patterns_choose_in_any_tier() -> None:
    chosen = {check.id for check in select((0,), ["image.*", "api.version"])}
    assert {"image.sandbox", "image.pull-tag", "api.version"} <= chosen
    assert not any(each.startswith("pod.") for each in chosen)


def test_an_unknown_check_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'pod\.hostname'"):
        select((0,), ["pod.hostnam"])
