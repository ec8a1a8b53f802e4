"""What a run changed on a host, or would change: files, packages, units, as the modules tell it.

Two runs that change the same things give the same list, in whatever steps they get there: check mode does
not see a package start its service, which is restarted then. So effects are merged by name before anybody
sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# In the order in which people read them. The rest: what a task says that has no list of effects.
KINDS: Final = (
    *("package", "directory", "file", "link", "links", "tree", "image", "unit", "kernel", "node", "pod"),
    *("task", "remaining"),
)
_ACTIONS: Final = ("remove", "restore", "stop", "disable", "install", "upgrade", "create", "change", "enable")


@dataclass(frozen=True)
class Effect:
    """One thing that changes. ``note`` says more, such as a version, and is no part of its identity."""

    kind: str
    name: str
    actions: tuple[str, ...]
    note: str | None = None

    @property
    def identity(self) -> tuple[str, str, tuple[str, ...]]:
        return self.kind, self.name, self.actions

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "actions": list(self.actions), "note": self.note}


def effects_in(result: Mapping[str, Any], task: str) -> Iterator[Effect]:
    """The effects that one task's result tells of, its loop's items included. A changed task that tells of
    none is one itself: nothing goes unsaid."""
    results = [item for item in result.get("results") or () if isinstance(item, dict)]
    for each in results or [dict(result)]:
        told = each.get("effects")
        if told is None and each.get("changed"):
            yield Effect("task", task, ("change",))
        for entry in told or ():
            yield Effect(
                str(entry["kind"]), str(entry["name"]), (str(entry["action"]),), entry.get("note") or None
            )


def merge(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """One effect for each thing, in a fixed order."""
    actions: dict[tuple[str, str], set[str]] = {}
    notes: dict[tuple[str, str], str | None] = {}
    for effect in effects:
        key = effect.kind, effect.name
        actions.setdefault(key, set()).update(effect.actions)
        notes[key] = notes.get(key) or effect.note
    # What a run makes for a while and takes away again is not there afterwards.
    lasting = {key: told for key, told in actions.items() if not {"create", "remove"} <= told}
    found = [Effect(*key, _together(told), notes[key]) for key, told in lasting.items()]
    return tuple(sorted(found, key=lambda effect: (_rank(effect.kind, KINDS), effect.name)))


def _together(actions: set[str]) -> tuple[str, ...]:
    """What several actions on one thing come to."""
    if "create" in actions:
        actions = actions - {"change"}
    if "start" in actions:
        actions = actions - {"restart"}
    return tuple(sorted(actions, key=lambda action: (_rank(action, _ACTIONS), action)))


def _rank(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)
