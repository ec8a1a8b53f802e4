"""Show what pods use: CPU over a sample, and memory."""

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

_HEAD = ("POD", "POD ID", "CPU %", "MEM")


def options(parser: ArgumentParser) -> None:
    """As crictl's."""
    parser.add_argument("pod", nargs="?", default="", metavar="POD-ID")
    parser.add_argument("--id", default="", help="the pod whose id begins so")
    add_labels(parser)
    add_output(parser, "table", "json", "yaml", "table")
    add_sample(parser)
    add_watch(parser)


def run(chosen: Namespace, client: Client) -> None:
    """Raises CallError."""
    request = cri.ListPodSandboxStatsRequest()
    request.filter.id = chosen.id or chosen.pod
    request.filter.label_selector.update(chosen.label)

    def listed() -> list[cri.PodSandboxStats]:
        found = client.call("ListPodSandboxStats", request).stats
        return sorted(found, key=lambda one: str(one.attributes.id))

    def show() -> None:
        if chosen.output != "table":
            show_message(cri.ListPodSandboxStatsResponse(stats=listed()), chosen.output)
            return
        usages = sampled(listed, _usage, chosen.seconds)
        rows = [_row(stats, usage) for stats, usage in usages if usage.cpu or usage.memory]
        clear(terminal=sys.stdout.isatty())
        print(table([_HEAD, *rows]), end="")

    watch(show, again=chosen.watch)


def _usage(stats: cri.PodSandboxStats) -> Usage:
    return Usage(
        stats.attributes.id,
        stats.linux.cpu.timestamp,
        stats.linux.cpu.usage_core_nano_seconds.value,
        stats.linux.memory.working_set_bytes.value,
    )


def _row(stats: cri.PodSandboxStats, usage: Usage) -> list[str]:
    return [
        stats.attributes.metadata.name,
        human.short_id(stats.attributes.id),
        f"{usage.percent:.2f}",
        human.size(usage.memory),
    ]
