"""pycri/attempts.py: retries join, nothing is cut in half."""

import asyncio
import logging

import pytest

from pycri import errors
from pycri.attempts import Attempts, Locks, ignore_missing, together


async def test_a_retry_joins_and_gets_the_same_result():
    attempts, begun, go = Attempts(), [], asyncio.Event()

    async def work():
        begun.append(1)
        await go.wait()
        return object()

    callers = [asyncio.create_task(attempts.join("k", work)) for _ in range(3)]
    await asyncio.sleep(0)
    go.set()
    results = await asyncio.gather(*callers)
    assert len(begun) == 1
    assert len(set(map(id, results))) == 1


async def test_a_caller_that_gives_up_leaves_the_attempt():
    attempts, go = Attempts(), asyncio.Event()

    async def work():
        await go.wait()
        return "done"

    impatient = asyncio.create_task(attempts.join("k", work))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    retry = asyncio.create_task(attempts.join("k", work))
    go.set()
    assert await retry == "done"


async def test_a_failure_reaches_every_caller_and_the_next_one_tries_anew():
    attempts, results = Attempts(), [errors.Internal("no"), "yes"]

    async def work():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    failed = await asyncio.gather(*(attempts.join("k", work) for _ in range(2)), return_exceptions=True)
    assert [str(error) for error in failed] == ["no", "no"]
    assert await attempts.join("k", work) == "yes"


async def test_drain_waits_and_then_cancels():
    attempts = Attempts()
    quick = asyncio.create_task(attempts.join("quick", lambda: asyncio.sleep(0.01)))
    slow = asyncio.create_task(attempts.join("slow", lambda: asyncio.sleep(60)))
    await asyncio.sleep(0)
    assert await attempts.drain(0.2) == 1
    await quick
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await attempts.drain(0.1) == 0


async def test_background_failures_are_logged(caplog):
    attempts = Attempts()

    async def work():
        raise errors.Internal("quietly")

    with caplog.at_level(logging.WARNING):
        attempts.background("k", work)
        attempts.background("k", work)
        await attempts.settled("k")
        await asyncio.sleep(0)
    assert "quietly" in caplog.text


async def test_together_lets_everything_finish_before_it_fails():
    finished = []

    async def slow():
        await asyncio.sleep(0.02)
        finished.append("slow")

    async def fails():
        raise errors.Internal("first")

    with pytest.raises(errors.Internal, match="first"):
        await together(fails(), slow())
    assert finished == ["slow"]


async def test_together_is_not_cut_by_its_callers_end():
    finished = []

    async def slow():
        await asyncio.sleep(0.02)
        finished.append("slow")

    caller = asyncio.create_task(together(slow()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert finished == ["slow"]


async def test_locks_are_one_per_key_and_forgotten():
    locks, order = Locks(), []

    async def hold(key, name):
        async with locks.hold(key):
            order.append(f"{name} in")
            await asyncio.sleep(0.01)
            order.append(f"{name} out")

    await asyncio.gather(hold("a", 1), hold("a", 2), hold("b", 3))
    assert order.index("1 out") < order.index("2 in")
    assert order.index("3 in") < order.index("1 out")
    assert len(locks._locks) == 0


async def test_only_missing_is_ignored():
    async def fail(error):
        raise error

    await ignore_missing(fail(errors.NotFound("gone")))
    with pytest.raises(errors.Internal):
        await ignore_missing(fail(errors.Internal("no")))
