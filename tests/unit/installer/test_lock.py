from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from installer.errors import LockedError
from installer.lock import cluster_lock


def test_the_second_operator_reads_who_the_first_is(tmp_path: Path) -> None:
    with cluster_lock(tmp_path / "prod"):
        with (
            pytest.raises(
                LockedError, match=r"\(pid \d+, since .*\) is at work on the cluster 'prod'"
            ) as error,
            cluster_lock(tmp_path / "prod"),
        ):
            pass
        assert error.value.exit_code == 11
    with cluster_lock(tmp_path / "prod"):
        pass


def test_two_clusters_do_not_meet(tmp_path: Path) -> None:
    with cluster_lock(tmp_path / "one"), cluster_lock(tmp_path / "two"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from installer.lock import cluster_lock\n"
        "with cluster_lock(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    with cluster_lock(tmp_path):
        pass
