"""``pycri pod-network``: follow the cluster's nodes for as long as the unit runs."""

from __future__ import annotations

import errno
import http.client
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycri.pod_network.api import Api, ApiError, Credentials, find_credentials
from pycri.pod_network.plan import Node, plan
from pycri.pod_network.system import CommandFailed, System

_log = logging.getLogger(__name__)
DIRECTORY = Path("/etc/nodestrap/pod-network")
_PAUSE = 2.0  # seconds between attempts to get at the API server
_POLL = 10.0  # seconds between looks where nodes may not be listed


@dataclass(frozen=True)
class Config:
    """``config.json``, as the role pod_network writes it."""

    node: str
    subnets: tuple[str, ...]

    @classmethod
    def load(cls, directory: Path) -> Config:
        """Raises OSError, ValueError, KeyError."""
        content = json.loads((directory / "config.json").read_text())
        return cls(content["node"], tuple(content["subnets"]))


def main(directory: Path = DIRECTORY) -> int:
    """Run until killed. What is on the node stays: a restarted agent interrupts no traffic.

    Returns 1 when the unit's own mounts are out of date.
    """
    agent = Agent(Config.load(directory), System())
    said = ""
    while True:
        try:
            credentials = find_credentials(directory)
            if credentials is None:
                problem = "this host has not joined a cluster yet"
            else:
                agent.follow(credentials, directory)
                problem = ""
        except OSError as error:
            if error.errno == errno.EROFS:
                _log.error(
                    "%s; its directory was made anew: the unit has to mount that, and starts again", error
                )
                return 1
            problem = f"{type(error).__name__}: {error}"
        except (http.client.HTTPException, ApiError, CommandFailed, ValueError, KeyError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem and problem != said:
            _log.warning("%s; trying again every %.0f s", problem, _PAUSE)
        said = problem
        if problem:
            time.sleep(_PAUSE)


class Agent:
    """What is known of the nodes, and what was made of it."""

    def __init__(self, config: Config, system: System) -> None:
        self._config = config
        self._system = system
        self._nodes: dict[str, Node] = {}
        self._problems: list[str] = []

    def follow(self, credentials: Credentials, directory: Path) -> None:
        """List, then watch until the server has forgotten where we were, or other credentials have come.

        Raises OSError, ApiError, CommandFailed.
        """
        api = Api(credentials)
        stamp = _stamp(credentials)
        try:
            items, version = api.nodes()
        except ApiError as error:
            if error.status != 403 or credentials.own:
                raise
            self._alone(api, credentials, directory)
            return
        self._nodes = {node.name: node for node in map(Node.parse, items)}
        self.converge()
        while (find_credentials(directory), _stamp(credentials)) == (credentials, stamp):
            try:
                for kind, item in api.watch(version):
                    version = item["metadata"]["resourceVersion"]
                    self.take(kind, item)
            except ApiError as error:
                if error.status != 410:
                    raise
                return
            self.converge()  # also where nothing changed: somebody may have taken a route away

    def take(self, kind: str, item: dict[str, Any]) -> None:
        """One event of a watch."""
        if kind == "BOOKMARK":
            return
        node = Node.parse(item)
        before = dict(self._nodes)
        if kind == "DELETED":
            self._nodes.pop(node.name, None)
        else:
            self._nodes[node.name] = node
        if self._nodes != before:
            self.converge()

    def converge(self) -> None:
        """Make the node as the nodes ask for. Raises CommandFailed, OSError."""
        wanted = plan(self._config.node, self._nodes.values(), self._config.subnets)
        if wanted is None:
            return
        problems = self._system.apply(wanted)
        if problems != self._problems:
            for problem in problems:
                _log.warning("%s", problem)
        self._problems = problems

    def _alone(self, api: Api, credentials: Credentials, directory: Path) -> None:
        """With a kubelet's credentials that may not list: at least this node's own addresses."""
        while find_credentials(directory) == credentials:
            node = Node.parse(api.node(self._config.node))
            if self._nodes != {node.name: node}:
                _log.warning(
                    "these credentials may not list nodes: no routes to other nodes' pods until "
                    "`nodestrap up` has brought the agent's own"
                )
                self._nodes = {node.name: node}
            wanted = plan(self._config.node, [node], self._config.subnets)
            if wanted is not None:
                self._system.apply(wanted)
            time.sleep(_POLL)


def _stamp(credentials: Credentials) -> float:
    return credentials.certificate.stat().st_mtime
