"""The package module against package managers that answer as the real ones do."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support import ansible_modules


class Commands:
    """Answers commands by their beginning, in order; remembers what was run."""

    def __init__(self, answers: list[tuple[str, int, str, str]]) -> None:
        self.answers = answers
        self.run: list[str] = []

    def __call__(self, argv: list[str], **_: Any) -> tuple[int, str, str]:
        line = " ".join(argv)
        self.run.append(line)
        for index, (start, code, out, err) in enumerate(self.answers):
            if line.startswith(start):
                del self.answers[index]
                return code, out, err
        return 0, "", ""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loaded = ansible_modules.load("os_packages", tmp_path)
    monkeypatch.setattr(loaded.time, "sleep", lambda _seconds: None)
    return loaded


def apt(module: ModuleType, *answers: tuple[str, int, str, str]) -> tuple[Any, Commands]:
    commands = Commands(list(answers))
    return module.Apt(SimpleNamespace(params={"lock_timeout": 60}, run_command=commands)), commands


def test_only_what_is_fully_installed_counts(module: ModuleType) -> None:
    listing = (
        "installed socat 1.7.4\nconfig-files runc 1.1.5\nhalf-configured isal 2.30\nnot-installed tar \n"
    )
    packages, _ = apt(module, ("dpkg-query", 1, listing, "no packages found matching ebtables"))
    assert packages.installed(["socat", "runc", "isal", "tar", "ebtables"]) == {"socat": "1.7.4"}


def test_candidates_are_read_from_apts_lists(module: ModuleType) -> None:
    policy = "containerd:\n  Installed: (none)\n  Candidate: 1.6.20~ds1-1\nnosuch:\n  Candidate: (none)\n"
    packages, _ = apt(module, ("apt-cache policy", 0, policy, ""))
    assert packages.candidates(["containerd", "nosuch"]) == {"containerd": "1.6.20~ds1-1"}


def test_one_transaction_for_all_and_no_question_asked(module: ModuleType) -> None:
    packages, commands = apt(module)
    assert packages.install(["socat", "isal"], lambda _steps: None) is None
    (install,) = [line for line in commands.run if re.match("apt-get install (?!-s)", line)]
    assert install.endswith(" socat isal")
    assert "--force-confold" in install
    assert "--no-install-recommends" in install


def test_another_package_manager_at_work_is_waited_for(module: ModuleType) -> None:
    busy = ("apt-get update", 100, "", "E: Could not get lock /var/lib/apt/lists/lock")
    packages, commands = apt(module, busy, busy)
    assert packages.install(["socat"], lambda _steps: None) is None
    assert len([line for line in commands.run if line.startswith("apt-get update")]) == 3


def test_no_way_to_refresh_the_lists_is_told_only_when_the_installation_fails(module: ModuleType) -> None:
    offline = ("apt-get update", 100, "", "Could not resolve deb.example")
    packages, _ = apt(module, offline)
    assert packages.install(["socat"], lambda _steps: None) is None
    unknown = ("apt-get install", 100, "", "Unable to locate package socat")
    packages, _ = apt(module, offline, unknown, unknown)
    failure = packages.install(["socat"], lambda _steps: None)
    assert "Unable to locate package socat" in failure
    assert "Could not resolve deb.example" in failure


def test_the_real_package_database_of_this_machine(module: ModuleType) -> None:
    done = ansible_modules.run(module, check=True, names=["dpkg", "no-such-package-anywhere"])
    assert done["versions"]["dpkg"]
    assert done["installed"] == ["no-such-package-anywhere"]
    assert done["changed"]
    assert not ansible_modules.run(module, names=["dpkg"])["changed"]
    assert not ansible_modules.run(module, names=[])["changed"]


def test_the_packages_of_a_bundle_are_the_only_source(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def environment() -> dict[str, str]:
        host = SimpleNamespace(params={"lock_timeout": 60}, run_command_environ_update={"LANG": "C"})
        module.Apt(host)
        found: dict[str, str] = host.run_command_environ_update
        return found

    config = tmp_path / "apt.conf"
    monkeypatch.setattr(module, "BUNDLED", str(config))
    monkeypatch.setattr(module, "BUNDLED_LISTS", str(tmp_path / "lists"))
    assert environment() == {"LANG": "C"}
    config.touch()
    assert environment() == {"LANG": "C", "APT_CONFIG": str(config)}
    assert (tmp_path / "lists/partial").is_dir()
