"""hostPort."""

from __future__ import annotations

import random

from installer.verify.check import Failed, NotApplicable, check, expect
from installer.verify.context import Context
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

_PORT = 8088
_SERVE = f"mkdir -p /tmp/www && echo port-mapped > /tmp/www/page && exec httpd -f -p {_PORT} -h /tmp/www"


@check(
    "pod.port-mappings",
    tier=2,
    title="Maps a port of the host to the pod",
    proves="PortMapping: protocol, container_port, host_port, host_ip (hostPort)",
    fix="the portmap plugin must be in the conflist with capabilities.portMappings; see iptables -t nat -S",
)
def pod_port_mappings(ctx: Context) -> str:
    info = ctx.runtime.Status(cri_pb2.StatusRequest(verbose=True)).info
    if "portMappings" not in info.get("cniconfig", ""):
        raise NotApplicable("the node's CNI configuration has no plugin with the capability portMappings")
    host, port = ctx.host, _free_port(ctx)
    mapping = cri_pb2.PortMapping(
        protocol=cri_pb2.TCP, container_port=_PORT, host_port=port, host_ip="127.0.0.1"
    )
    with ctx.pod("ports", port_mappings=[mapping]) as pod:
        pod.start(["sh", "-c", _SERVE])

        def page() -> bytes:
            try:
                stream = host.dial("127.0.0.1", port, timeout=5.0)
            except OSError:
                return b""
            try:
                stream.settimeout(5.0)
                stream.sendall(b"GET /page HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := stream.recv(4096):
                    answer += piece
            except OSError:
                return b""
            finally:
                stream.close()
            return answer if b"port-mapped" in answer else b""

        wait_for(page, f"the pod's page on the host's 127.0.0.1:{port}", timeout=10)
    try:
        host.dial("127.0.0.1", port, timeout=2.0).close()
    except OSError:
        return f"127.0.0.1:{port} reached port {_PORT} of the pod, and is closed again"
    raise Failed(f"127.0.0.1:{port} still answers after the pod is gone")


def _free_port(ctx: Context) -> int:
    """One that nothing on the host listens on."""
    taken = ctx.host.run("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true").text
    free = [port for port in random.sample(range(20000, 30000), 20) if f":{port:04X} " not in taken]
    expect(free, "every port tried is taken")
    return free[0]
