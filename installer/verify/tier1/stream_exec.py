"""Exec with streams."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.streaming.sessions import channels, url_of
from pycri._generated import cri_pb2

_SIZE = 200_000


@check(
    "stream.exec",
    tier=1,
    title="Streams a command's input and output",
    proves="Exec: a URL that upgrades to SPDY/3.1 and v4.channel.k8s.io; stdin to its end; the exit code",
    fix="kubectl exec is this: see the streaming server's address and the daemon's log",
)
def stream_exec(ctx: Context) -> str:
    request = cri_pb2.ExecRequest(
        container_id=ctx.container.id,
        cmd=["sh", "-c", "cat; echo problem >&2; exit 5"],
        stdin=True,
        stdout=True,
        stderr=True,
    )
    url = url_of(ctx.runtime.Exec, request)
    with channels(ctx.session.host, url, ("stdin", "stdout", "stderr")) as session:
        session.write(b"hello\n")
        session.expect("stdout", b"hello\n")  # before the input ends: it is a stream
        session.write(b"x" * _SIZE, end=True)
        code = session.finish()
        expect_equal(len(session.text("stdout")), 6 + _SIZE, "the length of stdout")
        expect_equal(session.text("stderr"), b"problem\n", "stderr")
        expect_equal(code, 5, "the exit code")
        return f"{session.protocol}: {_SIZE} bytes there and back, stderr apart, exit code 5"
