from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
import time

import pytest

from pycri.io import priority
from pycri.io.priority import urgent


def policy() -> int:
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.fixture
def granted() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pytest.fail("this test needs root, in a control group that may run real-time threads")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.mark.usefixtures("granted")
async def test_the_loop_runs_first_and_nothing_inherits_it() -> None:
    inherited: list[int] = []
    with urgent() as done:
        assert done
        assert policy() == os.SCHED_RR
        thread = threading.Thread(target=lambda: inherited.append(policy()))
        thread.start()
        thread.join()
    assert inherited == [os.SCHED_OTHER]
    assert policy() == os.SCHED_OTHER
    assert resource.getrlimit(resource.RLIMIT_RTTIME)[0] == resource.RLIM_INFINITY
    assert signal.getsignal(signal.SIGXCPU) == signal.SIG_DFL


@pytest.mark.usefixtures("granted")
async def test_who_never_sleeps_is_ordinary_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "REST_SECONDS", 0.3)
    with urgent():
        for _ in range(2):  # the kernel moves its limit on each time
            spin(priority.BUSY_SECONDS * 3)
            await asyncio.sleep(0.01)
            assert policy() == os.SCHED_OTHER
            async with asyncio.timeout(5):
                while policy() != os.SCHED_RR:  # noqa: ASYNC110 - the kernel is polled
                    await asyncio.sleep(0.01)


@pytest.mark.usefixtures("granted")
async def test_who_sleeps_in_between_stays_urgent() -> None:
    with urgent():
        for _ in range(10):
            spin(priority.BUSY_SECONDS / 3)
            await asyncio.sleep(0.001)
        assert policy() == os.SCHED_RR


async def test_a_refusal_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    caplog.set_level("INFO")
    with urgent() as done:
        assert not done
    assert "ordinary priority: Operation not permitted" in caplog.text
    assert resource.getrlimit(resource.RLIMIT_RTTIME)[0] == resource.RLIM_INFINITY
