"""The order of a benchmark: sides in turn, so that a machine that slows down slows both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from installer.bench import cases, logs, resources
from installer.bench.samples import Samples


@dataclass(frozen=True)
class Plan:
    """How much of each case; 0 leaves a case out."""

    pods: int = 30
    burst: int = 50
    containers: int = 1000
    sandboxes: int = 1000
    stats_pods: int = 100
    pulls: int = 5
    log_megabytes: int = 100
    pull_images: tuple[str, ...] = ()
    """What is pulled; empty: the image that the pods run."""


def measure(
    sides: tuple[cases.Side, cases.Side], plan: Plan, progress: Callable[[str], None] = lambda _: None
) -> Samples:
    """Run the plan on both sides and return what was timed. Raises CriError; leaves no pod behind."""
    samples = Samples()
    try:
        for side in sides:
            side.clean_up()
        resources.memory(sides, samples, "RSS idle")
        for image in plan.pull_images or (sides[0].image,):
            for number in range(plan.pulls):
                progress(f"pull of {image}, {number + 1}/{plan.pulls}")
                for side in _turn(sides, number):
                    cases.pull(side, sides, samples, image)
        for side in sides:
            side.pull(side.image)
        for number in range(plan.pods + 1):
            progress(f"one pod {number}/{plan.pods}")
            for side in _turn(sides, number):  # number 0 warms both up
                cases.one_pod(side, samples if number else Samples(), number)
        for number in range(3 if plan.burst else 0):
            progress(f"{plan.burst} pods at once, round {number + 1}/3")
            for side in _turn(sides, number):
                cases.burst(side, samples, plan.burst)
        for number in range(3 if plan.log_megabytes else 0):
            progress(f"{plan.log_megabytes} MB of log, round {number + 1}/3")
            for side in _turn(sides, number):
                logs.full_speed(side, samples, number, plan.log_megabytes)
        if plan.stats_pods:
            progress(f"{plan.stats_pods} running containers")
            cases.running(sides, samples, plan.stats_pods, rounds=20)
        if plan.containers:
            progress(f"lists of {plan.containers} containers")
            cases.lists(sides, samples, plan.containers, rounds=20)
        if plan.sandboxes:
            progress(f"lists of {plan.sandboxes} sandboxes")
            cases.sandbox_lists(sides, samples, plan.sandboxes, rounds=20)
    finally:
        for side in sides:
            side.clean_up()
    return samples


def _turn(sides: tuple[cases.Side, cases.Side], number: int) -> tuple[cases.Side, cases.Side]:
    return sides if number % 2 == 0 else (sides[1], sides[0])
