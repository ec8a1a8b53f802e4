"""Parts of a session that need no server: ports, detach keys."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycri.ctl.streams.forward import ports
from pycri.ctl.streams.terminal import DetachKeys


@pytest.mark.parametrize(
    ("text", "pair"), [("80", (80, 80)), ("8080:80", (8080, 80)), (":80", (0, 80)), ("0:80", (0, 80))]
)
def test_ports(text: str, pair: tuple[int, int]) -> None:
    assert ports(text) == pair


@pytest.mark.parametrize("text", ["", "0", "http", "80:", "70000", "70000:80", "1:2:3", "-1"])
def test_no_ports(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="LOCAL"):
        ports(text)


@given(st.lists(st.binary(max_size=3) | st.sampled_from([b"\x10", b"\x11", b"\x10\x11"]), max_size=8))
def test_detach_keys_are_found_however_they_come(pieces: list[bytes]) -> None:
    keys, passed = DetachKeys(), b""
    for piece in pieces:
        data, left = keys.feed(piece)
        passed += data
        if left:
            break
    text = b"".join(pieces)
    wanted, found, _ = text.partition(b"\x10\x11")
    if found:
        assert (passed, left) == (wanted, True)
    else:
        assert passed == text.removesuffix(b"\x10")
