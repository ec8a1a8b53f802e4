from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pycri._generated import containerd_content_pb2 as pb
from pycri.containerd.content import _encode


@given(st.sampled_from([0, 1, 127, 128, 16_383, 16_384, 1024 * 1024]), st.integers(0, 2**62))
def test_hand_made_write_requests_are_what_protobuf_reads(size: int, offset: int) -> None:
    head = pb.WriteContentRequest(action=pb.WRITE, ref="r", total=9, expected="sha256:0", offset=offset)
    whole = pb.WriteContentRequest()
    whole.CopyFrom(head)
    whole.data = b"x" * size
    assert pb.WriteContentRequest.FromString(_encode(head, b"x" * size)) == whole
