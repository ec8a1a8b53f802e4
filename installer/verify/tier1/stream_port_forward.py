"""Forward connections to a port of the pod."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.streaming.sessions import forward, forwarding, url_of
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

_PORT = 8086
_CLOSED = 8087
_SERVE = f"mkdir /www && echo served > /www/page && exec httpd -f -p 127.0.0.1:{_PORT} -h /www"


@check(
    "stream.port-forward",
    tier=1,
    title="Forwards connections to the pod's loopback",
    proves="PortForward: portforward.k8s.io on SPDY/3.1; two connections at once; an error for a closed port",
    fix="kubectl port-forward is this: the connection is made inside the pod's network namespace",
)
def stream_port_forward(ctx: Context) -> str:
    pod = ctx.container.pod
    server = pod.start(["sh", "-c", _SERVE], name="port-forward")
    try:
        listening = f":{_PORT:04X} 00000000:0000 0A"
        wait_for(lambda: listening in server.output("cat", "/proc/net/tcp"), "the server's start", timeout=10)
        request = cri_pb2.PortForwardRequest(pod_sandbox_id=pod.id, port=[_PORT, _CLOSED])
        url = url_of(ctx.runtime.PortForward, request)
        with forwarding(ctx.session.host, url) as spdy:
            pairs = [forward(spdy, _PORT, number) for number in (1, 2)]
            for data, _ in pairs:
                spdy.send(data, b"GET /page HTTP/1.0\r\n\r\n")
            for data, error in pairs:
                spdy.wait_data(data, b"served\n")
                spdy.wait_end(data)
                expect_equal(spdy.data[error], b"", "the error stream of a connection that worked")
            data, error = forward(spdy, _CLOSED, 3)
            spdy.wait_end(error)
            refusal = spdy.data[error].decode(errors="replace")
            expect(refusal, f"port {_CLOSED}, where nothing listens, gives no error")
    finally:
        server.stop(timeout=0)
        server.remove()
    return "two connections served; a closed port is refused with a reason"
