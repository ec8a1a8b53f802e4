from __future__ import annotations

import asyncio

import pytest

from pycri.images.single_flight import SingleFlight


class Attempt:
    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> str:
        self.started += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_at_the_same_time_share_one_attempt() -> None:
    flights: SingleFlight[str] = SingleFlight(outlive=True)
    attempt = Attempt()
    callers = [asyncio.create_task(flights.do("key", attempt)) for _ in range(3)]
    await settle()
    assert "key" in flights
    attempt.go.set()
    assert await asyncio.gather(*callers) == ["done"] * 3
    assert attempt.started == 1
    await settle()
    assert "key" not in flights


async def test_attempt_outlives_its_callers_and_is_joined_by_the_next() -> None:
    flights: SingleFlight[str] = SingleFlight(outlive=True)
    attempt = Attempt()
    caller = asyncio.create_task(flights.do("key", attempt))
    await settle()
    caller.cancel()
    await settle()
    retry = asyncio.create_task(flights.do("key", attempt))
    await settle()
    attempt.go.set()
    assert await retry == "done"
    assert (attempt.started, attempt.cancelled) == (1, 0)


async def test_attempt_ends_with_its_last_caller() -> None:
    flights: SingleFlight[str] = SingleFlight(outlive=False)
    attempt = Attempt()
    first, second = (asyncio.create_task(flights.do("key", attempt)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert attempt.cancelled == 0
    second.cancel()
    await settle()
    assert attempt.cancelled == 1
    assert "key" not in flights


async def test_failure_reaches_every_caller_and_is_not_kept() -> None:
    flights: SingleFlight[str] = SingleFlight(outlive=True)

    async def fail() -> str:
        raise ValueError("no")

    callers = [asyncio.create_task(flights.do("key", fail)) for _ in range(2)]
    assert [type(e) for e in await asyncio.gather(*callers, return_exceptions=True)] == [ValueError] * 2
    attempt = Attempt()
    attempt.go.set()
    assert await flights.do("key", attempt) == "done"


async def test_close_cancels_what_is_under_way() -> None:
    flights: SingleFlight[str] = SingleFlight(outlive=True)
    attempt = Attempt()
    caller = asyncio.create_task(flights.do("key", attempt))
    await settle()
    await flights.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert attempt.cancelled == 1
