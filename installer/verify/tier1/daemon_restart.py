"""A restart of the daemon is no event for containers."""

from __future__ import annotations

from typing import Any

from installer.verify.check import NotApplicable, check, expect, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.cri_log import parse, whole_lines
from installer.verify.host import Host
from installer.verify.pods import Container
from installer.verify.waiting import wait_for
from pycri._generated import cri_pb2

UNITS = ("pycri.service", "pycri-io.service")
_COUNT = "i=0; while :; do i=$((i+1)); echo $i; usleep 5000 2>/dev/null || sleep 0.01; done"


@check(
    "daemon.restart",
    tier=1,
    title="Restarts under running containers without their noticing",
    proves="after systemctl restart: same container, same process, no log line lost, exec works",
    fix="KillMode, the shims' parent and the reopened log pipes decide this: journalctl -u pycri -u pycri-io",
    disruptive=True,
)
def daemon_restart(ctx: Context) -> str:
    host = ctx.host
    _expect_pycri(ctx, host)
    container = ctx.container.pod.start(["sh", "-c", _COUNT], name="restart")
    try:
        before = _identity(container)
        for unit in UNITS:
            seen = _last_line(host, container)
            host.run(f"systemctl restart {unit}", timeout=60)
            wait_for(lambda: _answers(ctx), f"the endpoint's answer after the restart of {unit}", timeout=30)
            expect_equal(_identity(container), before, f"the container after the restart of {unit}")
            wait_for(
                lambda seen=seen: _last_line(host, container) > seen + 5,  # type: ignore[misc]
                f"new log lines after the restart of {unit}",
                timeout=10,
            )
        container.stop(timeout=0)
        numbers = [int(line) for line in _lines(host, container)]
        expect_equal(numbers, list(range(1, len(numbers) + 1)), "the lines logged")
        expect_equal(container.status.state, cri_pb2.CONTAINER_EXITED, "the state after the stop")
    finally:
        container.remove()
    return f"{' and '.join(UNITS)} restarted; same process, {len(numbers)} lines logged, none lost"


def _expect_pycri(ctx: Context, host: Host) -> None:
    name = ctx.runtime.Version(cri_pb2.VersionRequest()).runtime_name
    if name != "pycri":
        raise NotApplicable(f"the endpoint is {name}'s: only pycri promises this")
    for unit in UNITS:
        if host.run(f"systemctl is-active {unit}", check=False).code != 0:
            raise NotApplicable(f"{unit} is not active on this host")


def _identity(container: Container) -> tuple[Any, ...]:
    """What a restarted container would differ in."""
    status = container.status
    started = container.output("sh", "-c", "cut -d' ' -f22 /proc/1/stat").strip()
    return status.id, status.state, status.started_at, started


def _answers(ctx: Context) -> bool:
    try:
        conditions = ctx.runtime.Status(cri_pb2.StatusRequest(), timeout=2.0).status.conditions
    except CriError as error:
        expect(error.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"), str(error))
        return False
    return all(condition.status for condition in conditions)


def _lines(host: Host, container: Container) -> list[bytes]:
    log = host.read(container.log_path) or b""
    return whole_lines(parse(log[: log.rfind(b"\n") + 1]))["stdout"]


def _last_line(host: Host, container: Container) -> int:
    lines = _lines(host, container)
    return int(lines[-1]) if lines else 0
