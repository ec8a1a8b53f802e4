"""pycri may be restarted under a working node."""

from __future__ import annotations

from installer.verify.check import check, expect
from installer.verify.context import Context


@check(
    "cluster.daemon-restart",
    tier=3,
    title="A restarted daemon leaves the node's pods working",
    proves="after a restart of pycri on this host its pod answers, takes an exec, and was not restarted",
    fix="`journalctl -u pycri` says what its recovery met",
    after=True,
    disruptive=True,
)
def cluster_daemon_restart(ctx: Context) -> str:
    cluster, host = ctx.cluster, ctx.host
    node = cluster.node_of(host.run("hostname").text.strip())
    (own,) = [probe for probe in cluster.probes if probe.node == node]
    host.run("systemctl restart pycri pycri-io", timeout=60)
    said = cluster.exec(own, "cat", "/tmp/www/index.html", tries=20)
    expect(said.strip() == own.name, f"after the restart the pod says {said!r}")
    restarts = cluster.restarts(own)
    expect(restarts == 0, f"its container was restarted {restarts} times")
    return f"{own.name} on {node} went on"
