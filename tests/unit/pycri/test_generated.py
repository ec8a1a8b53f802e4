"""The committed message classes are what pycri/protos generates today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_generated_code_is_current(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([ROOT / "scripts/generate-protos", tmp_path], check=True, env=env, capture_output=True)
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "pycri/_generated").iterdir()}
    committed = {path.name: path.read_bytes() for path in (ROOT / "pycri/_generated").glob("*_pb2.py*")}
    assert len(fresh) > 20
    assert fresh == committed, "run scripts/generate-protos and commit pycri/_generated"
