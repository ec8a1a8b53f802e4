from __future__ import annotations

import subprocess

import pytest

from installer.ssh.become import privileged


@pytest.mark.parametrize("become", [True, False])
@pytest.mark.parametrize("argument", ["plain", "two words", "it's", '"$HOME"', "a;b", "new\nline"])
def test_arguments_arrive_as_they_are(become: bool, argument: str) -> None:
    """Through the login shell, sh -c and (for root) no sudo: quoting holds at each level."""
    command = privileged(["printf", "%s", argument], become=become)
    done = subprocess.run(["sh", "-c", command.line], capture_output=True, check=True)
    assert done.stdout == argument.encode()
    assert done.stderr == command.started


def test_marks_differ_each_time_and_the_line_never_shows_them_whole() -> None:
    first, second = privileged(["true"], become=True), privileged(["true"], become=True)
    assert first.started != second.started
    assert first.started.decode().strip() not in first.line  # an echoed command line is not taken for a start
