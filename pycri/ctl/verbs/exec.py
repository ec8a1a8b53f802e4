"""Run a command in a container, or in each of those that filters select; its exit code is ours."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.container_filters import add_container_filters, containers
from pycri.ctl.errors import CtlError
from pycri.ctl.streams.wire import add_transport

_SLACK = 120.0  # s that a runtime may take beyond the command's own time


def options(parser: ArgumentParser) -> None:
    """As crictl's. What follows the container, or with a filter the first word, is the command's own."""
    parser.usage = "%(prog)s [OPTION...] [CONTAINER-ID] COMMAND [ARGUMENT...]"
    parser.add_argument("-s", "--sync", action="store_true", help="wait for the end, then show the output")
    parser.add_argument("--timeout", type=int, default=0, metavar="SECONDS", help="with --sync; 0: none")
    parser.add_argument("-t", "--tty", action="store_true", help="with a terminal of its own")
    parser.add_argument("-i", "--interactive", action="store_true", help="pass standard input on")
    add_container_filters(parser, short_state=False)
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say which container it is")
    parser.add_argument("-e", "--ignore-errors", action="store_true", help="succeed in any case")
    parser.add_argument("-x", "--parallel", action="store_true", help="in all containers at once")
    add_transport(parser)
    parser.add_argument("first", metavar="CONTAINER-ID")
    parser.add_argument("rest", nargs="...", metavar="COMMAND")


def run(chosen: Namespace, client: Client) -> int:
    """The command's exit code; of several the first that is not 0. Raises CtlError."""
    ids, command = _meant(chosen, client)
    told = _by_filter(chosen) and not chosen.quiet and not chosen.parallel

    def one(container: str) -> int:
        if told:
            print(f"{container}:", flush=True)
        try:
            return run_in(client, chosen, container, command)
        except CtlError as error:
            print(f"{container}: {error}", file=sys.stderr)
            return error.code

    if chosen.parallel and len(ids) > 1:
        with ThreadPoolExecutor(len(ids)) as pool:
            codes = list(pool.map(one, ids))
    else:
        codes = [one(container) for container in ids]
    return 0 if chosen.ignore_errors else next(filter(None, codes), 0)


def run_in(client: Client, chosen: Namespace, container: str, command: list[str]) -> int:
    """Run it in one container; its exit code. Raises CtlError."""
    code = (
        _sync(client, chosen, container, command)
        if chosen.sync
        else _stream(client, chosen, container, command)
    )
    if code:
        print(f"command terminated with exit code {code}", file=sys.stderr)
    return code


def _meant(chosen: Namespace, client: Client) -> tuple[list[str], list[str]]:
    """Containers and command. Raises CtlError: none of one of them."""
    if _by_filter(chosen):
        found = [container.id for container in containers(chosen, client)]
        if not found:
            raise CtlError("the filters select no container")
        return found, [chosen.first, *chosen.rest]
    if not chosen.rest:
        raise CtlError("name the container, then the command", code=2)
    return [chosen.first], chosen.rest


def _by_filter(chosen: Namespace) -> bool:
    filters = (chosen.name, chosen.pod, chosen.image, chosen.state, chosen.label, chosen.latest, chosen.last)
    return any(filters)


def _sync(client: Client, chosen: Namespace, container: str, command: list[str]) -> int:
    request = cri.ExecSyncRequest(container_id=container, cmd=command, timeout=chosen.timeout)
    limit = chosen.timeout + _SLACK if chosen.timeout else 0
    answer = client.call("ExecSync", request, timeout=limit)
    sys.stdout.flush()
    sys.stdout.buffer.write(answer.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(answer.stderr)
    sys.stderr.buffer.flush()
    return int(answer.exit_code)


def _stream(client: Client, chosen: Namespace, container: str, command: list[str]) -> int:
    from pycri.ctl.streams.session import run_session

    request = cri.ExecRequest(
        container_id=container,
        cmd=command,
        tty=chosen.tty,
        stdin=chosen.interactive,
        stdout=True,
        stderr=not chosen.tty,
    )
    url = client.call("Exec", request).url
    return run_session(url, chosen, stdin=chosen.interactive, tty=chosen.tty)
