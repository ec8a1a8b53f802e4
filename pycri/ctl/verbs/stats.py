"""Show what containers use: CPU over a sample, memory, disk, swap."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from pycri._generated import cri_pb2 as cri
from pycri.ctl.client import Client
from pycri.ctl.filters import add_labels
from pycri.ctl.output import human
from pycri.ctl.output.show import add_output, show_message
from pycri.ctl.output.table import table
from pycri.ctl.sample import Usage, add_sample, sampled
from pycri.ctl.watch import add_watch, clear, watch

_HEAD = ("CONTAINER", "NAME", "CPU %", "MEM", "DISK", "INODES", "SWAP")


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("container", nargs="?", default="", metavar="CONTAINER-ID")
    parser.add_argument("--id", default="", help="the container whose id begins so")
    parser.add_argument("-p", "--pod", default="", metavar="ID", help="of the pod whose id begins so")
    parser.add_argument("-a", "--all", action="store_true", help="also those that use nothing")
    add_labels(parser)
    add_output(parser, "table", "json", "yaml", "table")
    add_sample(parser)
    add_watch(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    request = cri.ListContainerStatsRequest()
    request.filter.id = chosen.id or chosen.container
    request.filter.pod_sandbox_id = chosen.pod
    request.filter.label_selector.update(chosen.label)

    def listed() -> list[cri.ContainerStats]:
        found = client.call("ListContainerStats", request).stats
        return sorted(found, key=lambda one: str(one.attributes.id))

    def show() -> None:
        if chosen.output != "table":
            show_message(cri.ListContainerStatsResponse(stats=listed()), chosen.output)
            return
        usages = sampled(listed, _usage, chosen.seconds)
        rows = [_row(stats, usage) for stats, usage in usages if chosen.all or usage.cpu or usage.memory]
        clear(terminal=sys.stdout.isatty())
        print(table([_HEAD, *rows]), end="")

    watch(show, again=chosen.watch)


def _usage(stats: cri.ContainerStats) -> Usage:
    return Usage(
        stats.attributes.id,
        stats.cpu.timestamp,
        stats.cpu.usage_core_nano_seconds.value,
        stats.memory.working_set_bytes.value,
    )


def _row(stats: cri.ContainerStats, usage: Usage) -> list[str]:
    return [
        human.short_id(stats.attributes.id),
        stats.attributes.metadata.name,
        f"{usage.percent:.2f}",
        human.size(usage.memory),
        human.size(stats.writable_layer.used_bytes.value),
        str(stats.writable_layer.inodes_used.value),
        human.size(stats.swap.swap_usage_bytes.value),
    ]
