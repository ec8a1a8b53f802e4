"""This node's CNI configuration, routes and packet filter rules, made as the plan says. Needs root."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pycri.pod_network.plan import FORWARD, MASQUERADE, Plan, version

_log = logging.getLogger(__name__)
CONFLIST = Path("/etc/cni/net.d/10-nodestrap-routed.conflist")
PROTOCOL = "210"  # marks our routes in the kernel's table; unassigned in iproute2's rt_protos
_TOOLS = {4: "iptables", 6: "ip6tables"}
_JUMPS = (("nat", "POSTROUTING", MASQUERADE), ("filter", "FORWARD", FORWARD))
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandFailed(Exception):
    """A command failed; the message is its complaint."""


class System:
    """Keeps going where one thing fails: the next round tries it again."""

    def __init__(self, conflist: Path = CONFLIST) -> None:
        self._conflist = conflist

    def apply(self, plan: Plan) -> list[str]:
        """Make it so; returns what could not be done, in words."""
        problems = []
        for family, text in plan.rules.items():
            try:
                self._rules(family, text)
            except CommandFailed as error:  # noqa: PERF203 - each family stands or falls alone
                problems.append(str(error))
        problems += self._routes(plan.routes)
        self._write(plan.conflist)  # last: with it the kubelet takes the node for ready
        return problems

    def remove(self) -> None:
        """Take away all of it, and leave everything else."""
        self._conflist.unlink(missing_ok=True)
        for prefix in self.routes():
            _try("ip", _family(prefix), "route", "del", prefix, "proto", PROTOCOL)
        for tool in _TOOLS.values():
            for table, base, chain in _JUMPS:
                if _try(tool, "-w", "-t", table, "-n", "-L", chain):
                    _try(tool, "-w", "-t", table, "-D", base, "-j", chain)
                    _try(tool, "-w", "-t", table, "-F", chain)
                    _try(tool, "-w", "-t", table, "-X", chain)

    def routes(self) -> dict[str, str]:
        """Ours in the kernel's table: prefix and next hop. Raises CommandFailed."""
        found = {}
        for family in ("-4", "-6"):
            answer = _run("ip", "-j", family, "route", "show", "proto", PROTOCOL)
            for entry in json.loads(answer or "[]"):
                found[_normal(entry["dst"], family)] = entry.get("gateway", "")
        return found

    def _routes(self, wanted: Mapping[str, str]) -> list[str]:
        problems = []
        present = self.routes()
        for prefix in sorted(set(present) - set(wanted)):
            _log.info("route to %s is gone with its node", prefix)
            _try("ip", _family(prefix), "route", "del", prefix, "proto", PROTOCOL)
        for prefix, hop in sorted(wanted.items()):
            if present.get(prefix) == hop:
                continue
            try:
                _run("ip", _family(prefix), "route", "replace", prefix, "via", hop, "proto", PROTOCOL)
                _log.info("route to %s via %s", prefix, hop)
            except CommandFailed as error:
                problems.append(f"no route to the pods {prefix} via {hop}: {error}")
        return problems

    def _rules(self, family: int, text: str) -> None:
        tool = _TOOLS[family]
        _run(f"{tool}-restore", "--noflush", "--wait", stdin=text)
        for table, base, chain in _JUMPS:
            if not _try(tool, "-w", "-t", table, "-C", base, "-j", chain):
                _run(tool, "-w", "-t", table, "-A", base, "-j", chain)

    def _write(self, text: str) -> None:
        path = self._conflist
        if path.exists() and path.read_text() == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")  # no .conflist at its end: nobody reads half of it
        part.write_text(text)
        part.replace(path)
        _log.info("wrote %s", path)


def _family(prefix: str) -> str:
    return f"-{version(prefix)}"


def _normal(prefix: str, family: str) -> str:
    """``ip`` leaves out the length of a host route."""
    return prefix if "/" in prefix else f"{prefix}/{'32' if family == '-4' else '128'}"


def _run(*argv: str, stdin: str = "") -> str:
    path = shutil.which(argv[0], path=_PATH)
    if path is None:
        raise CommandFailed(f"{argv[0]} is not installed")
    done = subprocess.run(
        [path, *argv[1:]],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": _PATH, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv[:4])}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def _try(*argv: str) -> bool:
    try:
        _run(*argv)
    except CommandFailed:
        return False
    return True
