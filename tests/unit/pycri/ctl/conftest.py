"""The command in this process, against answers that a test wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycri.ctl.cli import main
from pycri.ctl.stubs import V1
from tests.support.fake_cri import FakeCri, fake_cri


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONTAINER_RUNTIME_ENDPOINT", "IMAGE_SERVICE_ENDPOINT", "CRICTL_CREDS", "CRICTL_AUTH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "crictl.yaml").write_text("timeout: 5\n")
    monkeypatch.setenv("CRI_CONFIG_FILE", str(tmp_path / "crictl.yaml"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., FakeCri]]:
    """``serve({"Version": answer})`` until the test's end."""
    with ExitStack() as stack:

        def start(answers: Mapping[str, Any], *, api: str = V1) -> FakeCri:
            return stack.enter_context(fake_cri(tmp_path, answers, api=api))

        yield start


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """``run("pods", "-q")`` against what ``serve`` serves."""

    def call(*arguments: str) -> Done:
        capsys.readouterr()
        try:
            code = main(["-r", f"unix://{tmp_path}/cri.sock", *arguments], "crictl")
        except SystemExit as end:  # argparse's way
            code = int(str(end.code))
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call
