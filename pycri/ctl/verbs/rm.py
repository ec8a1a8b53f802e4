"""Remove containers, and unless --keep-logs their logs; with --force, running ones too."""

from __future__ import annotations

import glob
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.errors import CtlError
from pycri.ctl.several import each
from pycri.ctl.verbs.stop import stop


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("ids", nargs="*", metavar="CONTAINER-ID")
    parser.add_argument("-f", "--force", action="store_true", help="stop those that run")
    parser.add_argument("-k", "--keep-logs", action="store_true", help="leave log files in place")
    parser.add_argument("-a", "--all", action="store_true", help="every container")


def run(chosen: Namespace, client: Client) -> None:
    """Raises CtlError that names each container which could not be removed."""
    ids = chosen.ids
    if chosen.all:
        listed = client.call("ListContainers", cri.ListContainersRequest()).containers
        ids = [container.id for container in listed]
    elif not ids:
        raise CtlError("name the containers to remove, or --all", code=2)
    each(ids, lambda name: remove(client, name, force=chosen.force, keep_logs=chosen.keep_logs))


def remove(client: Client, container: str, *, force: bool, keep_logs: bool) -> None:
    """Remove one, and print its id. Raises CtlError: it is not there, or runs."""
    request = cri.ContainerStatusRequest(container_id=container)
    status = client.call("ContainerStatus", request).status
    if status.state == cri.CONTAINER_RUNNING:
        if not force:
            raise CtlError("it is running: stop it first, or use --force")
        stop(client, container)
    client.call("RemoveContainer", cri.RemoveContainerRequest(container_id=container))
    print(container)
    if status.log_path and not keep_logs:
        _remove_logs(status.log_path)


def _remove_logs(path: str) -> None:
    """The file and its rotations. The runtime may have taken them along: what is gone is well."""
    file = Path(path)
    for name in (file, *file.parent.glob(f"{glob.escape(file.name)}.*")):
        try:
            name.unlink(missing_ok=True)
        except OSError as error:  # noqa: PERF203 - a handful of files
            print(f"warning: the log {name} stays: {error}", file=sys.stderr)
