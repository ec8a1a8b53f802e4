"""Where the runtime is: flags, environment, file; and what a file may not hold."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from pycri.ctl import settings
from pycri.ctl.errors import CtlError
from pycri.ctl.settings import FileSettings, load, read_file, target
from tests.unit.pycri.ctl.conftest import Run


def options(config: Path | None = None, **given: object) -> Namespace:
    defaults = {"runtime_endpoint": None, "image_endpoint": None, "timeout": None, "debug": False}
    return Namespace(**{**defaults, "config": str(config) if config else None, **given})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.yaml"
    path.write_text("runtime-endpoint: unix:///a.sock # ours\nimage-endpoint: 'unix:///b.sock'\ntimeout: 7\n")
    return path


def test_the_file(file: Path) -> None:
    found = load(options(file))
    assert (found.runtime_endpoint, found.image_endpoint) == ("unix:///a.sock", "unix:///b.sock")
    assert found.timeout == 7.0


def test_flag_before_environment_before_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", "/c.sock")
    # an endpoint that is named is meant for images too: the file's would be of another runtime
    assert (load(options(file)).runtime_endpoint, load(options(file)).image_endpoint) == (
        "unix:///c.sock",
    ) * 2
    monkeypatch.setenv("IMAGE_SERVICE_ENDPOINT", "/i.sock")
    assert load(options(file)).image_endpoint == "unix:///i.sock"
    given = options(file, runtime_endpoint="/d.sock", image_endpoint="/e.sock", timeout=3.0)
    found = load(given)
    assert (found.runtime_endpoint, found.image_endpoint) == ("unix:///d.sock", "unix:///e.sock")
    assert found.timeout == 3.0


def test_without_any_the_first_socket_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second.sock").touch()
    sockets = (str(tmp_path / "first.sock"), str(tmp_path / "second.sock"))
    monkeypatch.setattr(settings, "_SOCKETS", sockets)
    assert load(options()).runtime_endpoint == f"unix://{tmp_path}/second.sock"
    (tmp_path / "second.sock").unlink()
    assert load(options()).runtime_endpoint == f"unix://{tmp_path}/first.sock"


@pytest.mark.parametrize(
    ("text", "address"),
    [("/a.sock", "unix:///a.sock"), ("unix:///a.sock", "unix:///a.sock"), ("tcp://h:1", "h:1")],
)
def test_endpoints(text: str, address: str) -> None:
    assert target(text) == address


def test_what_is_no_endpoint() -> None:
    with pytest.raises(CtlError, match="no endpoint"):
        target("pycri.sock")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runtime-endpoint", "line 1: 'runtime-endpoint' is not `key: value`"),
        ("\n  timeout: 3", "line 2"),
        ("runtime-endpiont: x", "'runtime-endpiont' is no setting"),
        ("timeout: soon", "'soon', not a number of seconds"),
        ("debug: maybe", "neither true nor false"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(CtlError) as caught:
        read_file(tmp_path / "bad.yaml")
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert read_file(tmp_path / "none.yaml") == FileSettings()
    with pytest.raises(CtlError, match="there is no"):
        load(options(tmp_path / "none.yaml"))


def test_config_reads_and_writes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "crictl.yaml"
    path.write_text("# by hand\ntimeout: 5\n")
    path.chmod(0o640)
    assert run("config", "--get", "timeout").out == "5\n"
    assert (
        run("config", "--set", "timeout=9,debug=true", "--set", "runtime-endpoint=unix:///x.sock").code == 0
    )
    assert run("config", "pull-image-on-create", "true").code == 0
    assert path.read_text() == (
        '# by hand\ntimeout: 9\ndebug: true\nruntime-endpoint: "unix:///x.sock"\npull-image-on-create: true\n'
    )
    assert path.stat().st_mode & 0o777 == 0o640
    rows = [line.split() for line in run("config", "--list").out.splitlines()]
    assert rows[1:4] == [["runtime-endpoint", "unix:///x.sock"], ["image-endpoint"], ["timeout", "9"]]
    assert run("config", "--get", "colour").code == 2
    assert run("config", "--set", "colour=red").code == 2
