"""Attach to a running container."""

from __future__ import annotations

from installer.verify.check import check
from installer.verify.context import Context
from installer.verify.streaming.sessions import channels, url_of
from pycri._generated import cri_pb2

_ECHO = 'while read line; do echo "got $line"; echo "noted $line" >&2; done'


@check(
    "stream.attach",
    tier=1,
    title="Attaches to a container's input and output, twice",
    proves="Attach: stdin of a container made with stdin, its output as it comes; again after a detach",
    fix="kubectl attach is this; stdin must stay open when a client leaves, unless stdin_once is set",
)
def stream_attach(ctx: Context) -> str:
    container = ctx.container.pod.start(["sh", "-c", _ECHO], name="attach", stdin=True)
    request = cri_pb2.AttachRequest(container_id=container.id, stdin=True, stdout=True, stderr=True)
    try:
        for word in (b"one", b"two"):
            url = url_of(ctx.runtime.Attach, request)
            with channels(ctx.session.host, url, ("stdin", "stdout", "stderr")) as session:
                session.write(word + b"\n")
                session.expect("stdout", b"got " + word + b"\n")
                session.expect("stderr", b"noted " + word + b"\n")
    finally:
        container.stop(timeout=0)
        container.remove()
    return "two sessions, each with input, output and error output"
