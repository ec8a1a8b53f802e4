"""A streaming URL is a secret for one use."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect
from installer.verify.context import Context
from installer.verify.streaming.sessions import channels, url_of
from pycri._generated import cri_pb2


@check(
    "stream.token-once",
    tier=2,
    title="Takes a streaming URL once",
    proves="Exec: its URL starts one session and no second one; a made-up one starts none",
    fix="who learns the URL later must not get a shell by it",
)
def stream_token_once(ctx: Context) -> str:
    request = cri_pb2.ExecRequest(container_id=ctx.container.id, cmd=["true"], stdout=True)
    url = url_of(ctx.runtime.Exec, request)
    with channels(ctx.session.host, url, ("stdout",)) as session:
        session.finish()
    used, made_up = _refusal(ctx, url), _refusal(ctx, f"{url[:-6]}AAAAAA")
    return f"used: {used}; made up: {made_up}"


def _refusal(ctx: Context, url: str) -> str:
    """How the server answers to a URL that it must refuse."""
    try:
        with channels(ctx.session.host, url, ("stdout",)) as session:
            session.finish()
    except Failed as failure:
        expect("streaming server answers" in str(failure), f"{url}: {failure}")
        return str(failure).partition("answers ")[2].partition(":")[0]
    raise Failed(f"{url} starts a session")
