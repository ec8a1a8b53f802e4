"""Show which runtime answers, its version and the CRI's."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client


def options(_: ArgumentParser) -> None:
    """None."""


def run(_: Namespace, client: Client) -> None:
    """Raises CallError."""
    answer = client.call("Version", cri.VersionRequest(version="v1"))
    print("Version: ", answer.version)
    print("RuntimeName: ", answer.runtime_name)
    print("RuntimeVersion: ", answer.runtime_version)
    print("RuntimeApiVersion: ", answer.runtime_api_version)
