"""Change the resources of containers that run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(parser: ArgumentParser) -> None:
    """As crictl's, without those for Windows."""
    parser.add_argument("ids", nargs="+", metavar="CONTAINER-ID")
    for flag, unit in (
        ("cpu-period", "microseconds of a CFS period"),
        ("cpu-quota", "microseconds of CPU in a period"),
        ("cpu-share", "weight against other containers"),
        ("memory", "limit in bytes"),
        ("oom-score-adj", "of the OOM killer"),
    ):
        parser.add_argument(f"--{flag}", type=int, default=0, metavar="N", help=unit)
    parser.add_argument("--cpuset-cpus", default="", metavar="LIST", help="CPUs to run on: 0-3,5")
    parser.add_argument("--cpuset-mems", default="", metavar="LIST", help="memory nodes")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError at the first that fails."""
    resources = cri.LinuxContainerResources(
        cpu_period=chosen.cpu_period,
        cpu_quota=chosen.cpu_quota,
        cpu_shares=chosen.cpu_share,
        memory_limit_in_bytes=chosen.memory,
        oom_score_adj=chosen.oom_score_adj,
        cpuset_cpus=chosen.cpuset_cpus,
        cpuset_mems=chosen.cpuset_mems,
    )
    for container in chosen.ids:
        request = cri.UpdateContainerResourcesRequest(container_id=container, linux=resources)
        client.call("UpdateContainerResources", request)
        print(container)
