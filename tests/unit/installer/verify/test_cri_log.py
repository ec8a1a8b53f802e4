"""The CRI log format, parsed strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.verify.check import Failed
from installer.verify.cri_log import parse, whole_lines

TIME = "2026-11-23T22:00:00.123456789Z"


def test_parts_are_joined_per_stream() -> None:
    lines = ("stdout P ab", "stderr F err", "stdout F c", "stdout F ", "stdout P open")
    entries = parse("".join(f"{TIME} {line}\n" for line in lines).encode())
    assert [entry.partial for entry in entries] == [True, False, False, False, True]
    assert whole_lines(entries) == {"stdout": [b"abc", b""], "stderr": [b"err"]}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{TIME} stdout X a\n", "not in CRI format"),
        (f"{TIME} stdin F a\n", "not in CRI format"),
        ("yesterday stdout F a\n", "not in CRI format"),
        (f"{TIME} stdout F\n", "not in CRI format"),
        ("\n", "not in CRI format"),
        (f"{TIME} stdout F cut", "not ended"),
    ],
)
def test_anything_else_fails(line: str, why: str) -> None:
    with pytest.raises(Failed, match=why):
        parse(line.encode())


@given(st.binary(max_size=400))
def test_any_bytes_parse_or_fail(data: bytes) -> None:
    try:
        entries = parse(data)
    except Failed:
        return
    assert len(entries) == data.count(b"\n")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]), st.binary(max_size=50).filter(lambda b: b"\n" not in b)
        )
    )
)
def test_what_is_written_is_read(lines: list[tuple[str, bytes]]) -> None:
    log = b"".join(f"{TIME} {stream} F ".encode() + text + b"\n" for stream, text in lines)
    found = whole_lines(parse(log))
    for stream in ("stdout", "stderr"):
        assert found[stream] == [text for each, text in lines if each == stream]
