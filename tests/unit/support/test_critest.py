"""How the upstream suite's report is read."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import critest

_HELD = "sha256:" + "a" * 64
_LACKED = "sha256:" + "b" * 64

_REPORT = """<testsuites><testsuite>
<testcase name="[BeforeSuite]" status="passed"/>
<testcase name="[It] a" status="passed"/>
<testcase name="[It] b" status="skipped"><skipped message="no such feature"/></testcase>
<testcase name="[It] c" status="failed"><failure message="expected 1">got 2</failure></testcase>
<testcase name="[It] d" status="timedout"><error message="too slow"/></testcase>
<testcase name="[AfterSuite]" status="failed"><failure message="cannot clean up"/></testcase>
</testsuite></testsuites>"""


def test_every_outcome_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(_REPORT)
    report = critest.read(path, "")
    assert report.passed == {"a"}
    assert report.skipped == {"b"}
    assert report.failed == {"c": "expected 1\ngot 2", "d": "too slow", "[AfterSuite]": "cannot clean up"}
    assert report.lines()[1:3] == ["passed a", "skipped b"]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == f"/v2/team/image/manifests/{_HELD}" else 404)
            self.end_headers()

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("CRITEST_REGISTRY", f"127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("registry")
def test_only_an_image_that_the_registry_lacks_excuses_a_failure() -> None:
    assert critest.lacks_image(f"cannot pull gcr.io/team/image@{_LACKED}: not found")
    assert not critest.lacks_image(f"cannot pull gcr.io/team/image@{_HELD}: not found")
    assert not critest.lacks_image("cannot pull gcr.io/team/image:latest: not found")
