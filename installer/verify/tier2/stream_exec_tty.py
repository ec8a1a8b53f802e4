"""A terminal over the streaming protocol."""

from __future__ import annotations

from installer.verify.check import check, expect_equal
from installer.verify.context import Context
from installer.verify.streaming.sessions import channels, url_of
from pycri._generated import cri_pb2

_SCRIPT = (
    'tty; read line; echo "got $line"; i=0; '
    'until [ "$(stty size)" = "41 93" ] || [ $i -gt 300 ]; do i=$((i+1)); usleep 30000; done; '
    "stty size; exit 6"
)


@check(
    "stream.exec-tty",
    tier=2,
    title="Gives a command a terminal, and resizes it",
    proves="ExecRequest.tty; the resize channel: Width and Height reach the terminal; the exit code",
    fix="kubectl exec -it is this",
)
def stream_exec_tty(ctx: Context) -> str:
    request = cri_pb2.ExecRequest(
        container_id=ctx.container.id, cmd=["sh", "-c", _SCRIPT], tty=True, stdin=True, stdout=True
    )
    url = url_of(ctx.runtime.Exec, request)
    with channels(ctx.session.host, url, ("stdin", "stdout", "resize")) as session:
        session.expect("stdout", b"/dev/pts/")
        session.write(b"typed\n")
        session.expect("stdout", b"got typed")
        session.spdy.send(session.streams["resize"], b'{"Width":93,"Height":41}\n')
        session.expect("stdout", b"41 93")
        expect_equal(session.finish(), 6, "the exit code")
    return "a terminal, typed to, resized to 93 by 41, exit code 6"
