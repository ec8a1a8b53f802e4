"""Streaming over WebSocket."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.gaps import EVERY, containerd_gap
from installer.verify.streaming.sessions import exit_code, url_of
from installer.verify.streaming.websocket import ERROR, STDERR, STDOUT, WebSocketClient
from pycri._generated import cri_pb2


@check(
    "stream.websocket",
    tier=2,
    title="Streams over WebSocket",
    proves="Exec and Attach: v5 and v4.channel.k8s.io; input to its end (v5), output, errors, the exit code",
    fix="see the streaming server's log: it must accept an upgrade to websocket",
)
def stream_websocket(ctx: Context) -> str:
    containerd_gap(ctx, "answers 403 to WebSocket clients", before=EVERY)
    command = ["sh", "-c", "cat; echo problem >&2; exit 5"]
    request = cri_pb2.ExecRequest(
        container_id=ctx.container.id, cmd=command, stdin=True, stdout=True, stderr=True
    )
    url = url_of(ctx.runtime.Exec, request)
    with WebSocketClient.connect(ctx.session.host, url, "v5.channel.k8s.io") as socket:
        socket.write(b"hello\n")
        socket.wait(STDOUT, b"hello\n")
        socket.end_input()
        socket.wait_end()
        expect_equal(socket.data[STDERR], b"problem\n", "stderr")
        expect_equal(exit_code(socket.data[ERROR]), 5, "the exit code")
    echo = "while read line; do echo got $line; done"
    with ctx.container.pod.running(["sh", "-c", echo], name="websocket", stdin=True) as container:
        attach = cri_pb2.AttachRequest(container_id=container.id, stdin=True, stdout=True)
        url = url_of(ctx.runtime.Attach, attach)
        with WebSocketClient.connect(ctx.session.host, url, "v4.channel.k8s.io") as socket:
            socket.write(b"one\n")
            socket.wait(STDOUT, b"got one\n")
    return "exec over v5 with its exit code 5, attach over v4"
