"""pycri's AppArmor profile, compiled by Debian's parser for what its kernels can mediate."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pycri.container.spec import apparmor
from tests.support import debian

pytestmark = pytest.mark.integration


def test_the_default_profile_compiles_alone(tmp_path: Path) -> None:
    package = debian.unpack("bookworm", "apparmor")
    features = package / "usr/share/apparmor-features/features"
    command = [package / "sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", "--base", tmp_path]
    command += ["--kernel-features", features, "--policy-features", features, "--names"]
    done = subprocess.run(command, input=apparmor.DEFAULT_TEXT.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == [apparmor.DEFAULT_PROFILE]
