"""Show the cgroup driver that the runtime tells the kubelet."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.output.table import table


def options(_: ArgumentParser) -> None:
    """None."""


def run(_: Namespace, client: Client) -> None:
    """Raises CallError."""
    answer = client.call("RuntimeConfig", cri.RuntimeConfigRequest())
    if answer.HasField("linux"):
        driver = cri.CgroupDriver.Name(answer.linux.cgroup_driver)
        print(table([["cgroup driver:", driver]], minimum=10), end="")
