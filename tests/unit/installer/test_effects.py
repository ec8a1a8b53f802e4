"""Effects as modules tell them, merged so that a plan and the run that follows it give the same list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from installer.effects import Effect, effects_in, merge


def told(kind: str, name: str, *actions: str, note: str | None = None) -> Effect:
    return Effect(kind, name, actions, note)


def test_a_loop_tells_of_all_its_items() -> None:
    result = {
        "changed": True,
        "results": [
            {"changed": True, "effects": [{"kind": "file", "name": "/a", "action": "create"}]},
            {"changed": False, "effects": []},
        ],
    }
    assert list(effects_in(result, "role: Release files")) == [told("file", "/a", "create")]


def test_a_change_without_effects_is_told_by_its_task() -> None:
    assert list(effects_in({"changed": True}, "role: Odd")) == [told("task", "role: Odd", "change")]
    assert list(effects_in({"changed": False}, "role: Odd")) == []


def test_packages_come_first_and_twice_is_once() -> None:
    merged = merge(
        [
            told("unit", "b.service", "start"),
            told("package", "runc", "install", note="1.1"),
            told("package", "runc", "install"),
        ]
    )
    assert merged == (told("package", "runc", "install", note="1.1"), told("unit", "b.service", "start"))


def test_what_is_started_and_then_restarted_is_started() -> None:
    unit = "containerd.service"
    (merged,) = merge(
        [told("unit", unit, "start"), told("unit", unit, "enable"), told("unit", unit, "restart")]
    )
    assert merged.actions == ("enable", "start")


def test_what_is_created_and_then_changed_is_created() -> None:
    (merged,) = merge([told("file", "/a", "change"), told("file", "/a", "create")])
    assert merged.actions == ("create",)


effects = st.builds(
    lambda kind, name, action: Effect(kind, name, (action,)),
    st.sampled_from(["file", "package", "unit", "else"]),
    st.sampled_from("abc"),
    st.sampled_from(["create", "change", "remove", "start", "restart", "enable", "odd"]),
)


@given(st.lists(effects))
def test_order_and_repetition_do_not_matter(some: list[Effect]) -> None:
    assert merge(some) == merge([*reversed(some), *some])
    assert merge(merge(some)) == merge(some)


def test_what_is_there_for_a_while_only_is_not_told() -> None:
    assert merge([told("file", "/first", "create"), told("file", "/first", "remove")]) == ()
