from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.installer.artifacts.release_server import Releases, serve


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as running:
        yield running
