"""Who listens on a socket, and what a process costs."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from installer.bench import resources
from installer.bench.samples import Samples


class Side:
    def __init__(self, index: int, *processes: int) -> None:
        self.index, self.processes = index, processes


def test_the_kernel_names_the_listener(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert resources.listener(f"unix://{tmp_path}/s") == os.getpid()
    assert resources.listener(f"unix://{tmp_path}/s") is None


def test_idle_cost_is_of_the_sides_whose_processes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(resources, "_SETTLE_SECONDS", 0.0)
    samples = Samples()
    sides: Any = [Side(0, os.getpid()), Side(1, os.getpid(), os.getpid())]
    resources.idle(sides, samples, 7)
    memory, cpu = samples.rows()
    assert (memory.step, cpu.step) == ("RSS with 7 pods", "CPU idle with 7 pods")
    assert memory.theirs == pytest.approx(2 * memory.ours, rel=0.2)
    assert memory.ours > 10  # MB: this is Python with pytest
    assert cpu.ours >= 0
    unknown: Any = [Side(0), Side(1)]
    resources.idle(unknown, Samples(), 7)
