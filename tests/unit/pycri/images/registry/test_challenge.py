from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pycri.images.registry.challenge import Challenge, parse


def test_challenges_of_real_registries() -> None:
    hub = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
    assert parse([hub]) == [
        Challenge(
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:a/b:pull,push",
            },
        )
    ]
    assert parse(['Basic realm="x y"', "Bearer realm=z"]) == [
        Challenge("basic", {"realm": "x y"}),
        Challenge("bearer", {"realm": "z"}),
    ]
    assert parse(['Basic realm="a", Bearer Realm="b", error="c"']) == [
        Challenge("basic", {"realm": "a"}),
        Challenge("bearer", {"realm": "b", "error": "c"}),
    ]
    assert parse(['Basic realm="quo\\"ted"']) == [Challenge("basic", {"realm": 'quo"ted'})]
    assert parse(["Negotiate"]) == [Challenge("negotiate")]
    assert parse([]) == []


@given(st.lists(st.text(max_size=60) | st.text('Bearer ="\\,xy', max_size=60), max_size=3))
def test_any_header_ends_in_challenges(headers: list[str]) -> None:
    for challenge in parse(headers):
        assert challenge.scheme == challenge.scheme.lower()


def test_long_header_is_cut() -> None:
    assert len(parse(["a, " * 100_000])) < 5000
