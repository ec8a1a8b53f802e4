from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pycri.io import clock
from pycri.io.log_format import PART_BYTES, LogFormatter

NOW = b"2026-01-02T03:04:05.000000006Z"


def lines(stream: bytes, cuts: list[int]) -> bytes:
    formatter = LogFormatter("stdout")
    out, start = b"", 0
    for cut in sorted(cuts):
        out += formatter.feed(stream[start:cut], NOW)
        start = max(start, cut)
    return out + formatter.feed(stream[start:], NOW) + formatter.finish(NOW)


def model(stream: bytes) -> bytes:
    """The format by its definition: one line at a time, cut where it is longer than a part."""
    out = []
    parts = stream.split(b"\n")
    if parts[-1] == b"":
        parts.pop()
    for line in parts:
        while len(line) > PART_BYTES:
            out.append(NOW + b" stdout P " + line[:PART_BYTES] + b"\n")
            line = line[PART_BYTES:]
        out.append(NOW + b" stdout F " + line + b"\n")
    return b"".join(out)


# long lines are made, not drawn: Hypothesis would spend its time on 16 KiB of noise
pieces = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.just(b"\n"),
        st.integers(PART_BYTES - 2, PART_BYTES + 2).map(lambda size: b"x" * size),
        st.integers(2 * PART_BYTES - 1, 2 * PART_BYTES + 1).map(lambda size: b"y" * size),
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=300)
@given(pieces, st.lists(st.integers(0, 5 * PART_BYTES), max_size=8))
def test_any_chunking_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    assert lines(stream, [min(cut, len(stream)) for cut in cuts]) == model(stream)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_byte_by_byte(stream: bytes) -> None:
    assert lines(stream, list(range(len(stream)))) == model(stream)


def test_a_line_of_exactly_one_part_is_full() -> None:
    assert lines(b"x" * PART_BYTES + b"\n", []).count(b" P ") == 0


def test_memory_is_bounded_without_a_newline() -> None:
    formatter = LogFormatter("stdout")
    for _ in range(100):
        formatter.feed(b"z" * 10_000, NOW)
    assert len(formatter._pending) <= PART_BYTES


def test_suspended_line_goes_on_in_the_next_process() -> None:
    first, second = LogFormatter("stderr"), LogFormatter("stderr")
    assert first.feed(b"half a li", NOW) + first.suspend(NOW) == NOW + b" stderr P half a li\n"
    assert second.feed(b"ne\n", NOW) == NOW + b" stderr F ne\n"


def test_timestamp_is_rfc3339_with_nine_digits_in_utc() -> None:
    assert clock.log_timestamp(1_700_000_000_000_000_042) == b"2023-11-14T22:13:20.000000042Z"
    assert clock.log_timestamp(1_700_000_001_999_999_999) == b"2023-11-14T22:13:21.999999999Z"
