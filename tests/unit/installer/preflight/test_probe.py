"""The probe on this very machine, as a host would run it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from installer.cluster.facts import facts_from_answer
from installer.preflight import probe

_SOURCE = Path(probe.__file__)


def _start(tmp_path: Path) -> subprocess.Popen[str]:
    """The probe with a lock file of the test's own: the real one is the machine's."""
    source = tmp_path / "probe.py"
    source.write_text(_SOURCE.read_text().replace("/run/nodestrap.lock", str(tmp_path / "lock")))
    return subprocess.Popen(
        [sys.executable, str(source)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _ask(process: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def test_answers_with_facts(tmp_path: Path) -> None:
    with _start(tmp_path) as process:
        answer = _ask(process, {"lock": None})
    assert answer["failed"] == {}
    facts = facts_from_answer(answer, sent=answer["time"] - 1, received=answer["time"] + 1)
    assert facts.python_version[:2] == sys.version_info[:2]
    assert facts.clock_skew == 0
    assert facts.disks["/"].free_bytes > 0
    assert facts.cgroup_version in (1, 2)
    assert not (tmp_path / "lock").exists()


def test_lock_is_held_until_stdin_ends(tmp_path: Path) -> None:
    with _start(tmp_path) as first, _start(tmp_path) as second:
        assert "locked_by" not in _ask(first, {"lock": {"operator": "ann"}})
        assert _ask(second, {"lock": {"operator": "bob"}})["locked_by"] == {"operator": "ann"}
        assert first.stdin is not None
        first.stdin.close()
        first.wait(timeout=10)
        with _start(tmp_path) as third:
            assert "locked_by" not in _ask(third, {"lock": {"operator": "cid"}})


def test_runs_on_python_3_6() -> None:
    """By its grammar; the modules it imports are all older."""
    ast.parse(_SOURCE.read_text(), feature_version=(3, 6))


def test_one_broken_gatherer_does_not_hide_the_others(tmp_path: Path) -> None:
    source = tmp_path / "probe.py"
    source.write_text(_SOURCE.read_text().replace('"/proc/meminfo"', '"/proc/no-such-file"'))
    done = subprocess.run(
        [sys.executable, str(source)], input='{"lock": null}\n', capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert list(answer["failed"]) == ["memory"]
    assert answer["hostname"]
