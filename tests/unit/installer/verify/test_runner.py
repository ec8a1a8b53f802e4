"""Running checks: outcomes, gates, and cleaning up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from installer.verify import runner
from installer.verify.check import Check, Failed, NotApplicable, check
from installer.verify.client import Cancelled
from installer.verify.context import Context
from installer.verify.endpoint import Endpoint
from installer.verify.pods import LABEL
from installer.verify.result import EndpointReport, Outcome
from installer.verify.runner import Interrupt, run_tiers
from pycri._generated import cri_pb2
from tests.unit.installer.verify.fake_cri import READY, FakeCri, Refused, version
from tests.unit.installer.verify.scripted_host import ScriptedHost


def make(name: str, run: Callable[[Context], str], **fields: Any) -> Check:
    return check(f"pod.{name}", tier=1, title="A title", proves="something", fix="the usual", **fields)(run)


def run(
    checks: list[Check],
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Any] | None = None,
    interrupt: Interrupt | None = None,
) -> EndpointReport:
    monkeypatch.setattr(runner, "select", lambda *_args, **_kwargs: tuple(checks))
    with FakeCri({"Version": version, **(answers or {})}) as cri:
        endpoint = Endpoint(ScriptedHost(uid=1000), cri.address, cri.address)
        return run_tiers(endpoint, (1,), interrupt=interrupt)


def raising(error: Exception) -> Callable[[Context], str]:
    def fail(_ctx: Context) -> str:
        raise error

    return fail


def test_each_way_to_end_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(
        [
            make("passes", lambda _ctx: "seen"),
            make("fails", raising(Failed("wrong", fix="do this"))),
            make("is-skipped", raising(NotApplicable("too old"))),
            make("breaks", raising(KeyError("oops"))),
            make("calls", lambda ctx: str(ctx.runtime.Status(cri_pb2.StatusRequest()))),
        ],
        monkeypatch,
    )
    assert [(each.outcome.value, each.evidence, each.fix) for each in report.results[:4]] == [
        ("pass", "seen", None),
        ("fail", "wrong", "do this"),
        ("skip", "too old", None),
        ("fail", "the check itself broke: KeyError: 'oops'", "report this: the check has a bug"),
    ]
    assert report.results[4].evidence.startswith("Status: UNIMPLEMENTED")
    assert report.results[4].fix == "the usual"
    assert report.runtime == "fake 1.0 (runtime.v1)"
    assert report.exit_code == 8


def test_a_failed_gate_skips_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [make("gate", raising(Failed("down")), gate=True), make("next", lambda _ctx: "seen")]
    report = run(checks, monkeypatch)
    assert [each.outcome for each in report.results] == [Outcome.FAILED, Outcome.SKIPPED]
    assert report.results[1].evidence == "pod.gate failed"


class Pods:
    """A runtime of pods that will not be removed the first time."""

    def __init__(self) -> None:
        self.labels: dict[str, dict[str, str]] = {}
        self.refusals = 1

    @property
    def answers(self) -> dict[str, Any]:
        return {
            "Status": READY,
            "RunPodSandbox": self.run,
            "ListPodSandbox": self.list,
            "StopPodSandbox": lambda _request: cri_pb2.StopPodSandboxResponse(),
            "RemovePodSandbox": self.remove,
        }

    def run(self, request: Any) -> Any:
        self.labels["pod-1"] = dict(request.config.labels)
        return cri_pb2.RunPodSandboxResponse(pod_sandbox_id="pod-1")

    def list(self, request: Any) -> Any:
        wanted = dict(request.filter.label_selector)
        return cri_pb2.ListPodSandboxResponse(
            items=[
                cri_pb2.PodSandbox(id=pod, labels=labels)
                for pod, labels in self.labels.items()
                if wanted.items() <= labels.items()
            ]
        )

    def remove(self, request: Any) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise Refused(grpc.StatusCode.INTERNAL, "busy")
        self.labels.pop(request.pod_sandbox_id, None)
        return cri_pb2.RemovePodSandboxResponse()


def pod_that_fails(ctx: Context) -> str:
    with ctx.pod("mine"):
        raise Failed("after the pod was made")


def test_a_pod_that_would_not_go_is_tried_again_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = Pods()
    report = run([make("pod", pod_that_fails)], monkeypatch, pods.answers)
    assert report.results[0].evidence == "after the pod was made"
    assert pods.labels == {}
    assert report.leftovers == []


def test_a_pod_that_never_goes_is_a_leftover_and_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = Pods()
    pods.refusals = 99
    with_pod = make("pod", lambda ctx: ctx.pod("mine").__enter__().id)
    report = run([with_pod], monkeypatch, pods.answers)
    assert "busy" in report.leftovers[0]
    assert report.exit_code == 8


def test_an_interrupt_cleans_up_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = Pods()
    pods.refusals = 0
    others = {"pod-other": {LABEL: "another-run"}}
    pods.labels.update(others)
    interrupt, entered = Interrupt(), threading.Event()

    def hang(_request: Any) -> Any:
        entered.set()
        interrupt.set()
        return cri_pb2.StatusResponse()

    def interrupted(ctx: Context) -> str:
        with ctx.pod("mine"):
            ctx.runtime.Status(cri_pb2.StatusRequest())
        return "never"

    checks = [make("pod", interrupted), make("next", raising(AssertionError("not reached")))]
    with pytest.raises(Cancelled):
        run(checks, monkeypatch, {**pods.answers, "Status": hang}, interrupt)
    assert entered.is_set()
    assert pods.labels == others


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_tiers("unix:///nonexistent/cri.sock", (0, 1))
    assert report.results[0].outcome is Outcome.FAILED
    assert report.results[0].evidence == "there is no /nonexistent/cri.sock on localhost"
    assert {each.behind for each in report.results[1:]} == {"api.version"}
    assert {each.outcome for each in report.results[1:]} == {Outcome.SKIPPED}
    assert report.exit_code == 7
    assert report.seconds < 5
