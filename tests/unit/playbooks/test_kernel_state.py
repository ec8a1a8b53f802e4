"""Kernel features and sysctls, seen from this machine's own kernel; nothing here changes it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ansible_modules


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    return ansible_modules.load("kernel_state", tmp_path)


def sysctl(name: str) -> str:
    return Path("/proc/sys", *name.split(".")).read_text().strip()


def test_a_feature_is_a_path_or_a_word_in_a_file(module: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "filesystems").write_text("nodev\tproc\nnodev\toverlay\n")
    assert module.has_feature(f"{tmp_path}/filesystems:overlay")
    assert not module.has_feature(f"{tmp_path}/filesystems:over")
    assert module.has_feature(str(tmp_path))
    assert not module.has_feature(f"{tmp_path}/none")


def test_what_is_right_already_changes_nothing(module: ModuleType) -> None:
    wanted = {"kernel.pid_max": sysctl("kernel.pid_max")}
    done = ansible_modules.run(module, features={"proc": "/proc/filesystems:proc"}, sysctls=wanted)
    assert (done["changed"], done["changes"]) == (False, [])


def test_check_mode_says_what_would_change(module: ModuleType) -> None:
    now = sysctl("kernel.pid_max")
    wanted = {"kernel.pid_max": int(now) + 1}
    done = ansible_modules.run(module, check=True, features={"nofs": "/nonexistent"}, sysctls=wanted)
    assert done["changes"] == ["module nofs loaded", f"sysctl kernel.pid_max: {now} -> {int(now) + 1}"]
    assert sysctl("kernel.pid_max") == now


def test_a_module_that_the_kernel_lacks_is_named_unless_it_is_optional(module: ModuleType) -> None:
    features = {"no_such_module": "/nonexistent"}
    done = ansible_modules.run(module, features=features)
    assert "the kernel has no no_such_module" in done["msg"]
    assert "In a container, load it on the machine around it" in done["msg"]
    assert not ansible_modules.run(module, features=features, optional=["no_such_module"])["changed"]


def test_a_sysctl_that_the_kernel_lacks_is_named_unless_it_is_optional(module: ModuleType) -> None:
    sysctls = {"no.such.sysctl": 1}
    assert "no sysctl no.such.sysctl" in ansible_modules.run(module, sysctls=sysctls)["msg"]
    assert not ansible_modules.run(module, sysctls=sysctls, optional=["no.such.sysctl"])["changed"]
