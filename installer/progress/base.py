"""The narrow interface that phases report through."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType

from installer.report import HostOutcome

_log = logging.getLogger("nodestrap")


class Progress:
    """Logs everything; a display adds itself by overriding the ``show`` methods. Used from several
    threads."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def phase(self, title: str, hosts: Iterable[str]) -> None:
        """A phase begins on these hosts."""
        names = list(hosts)
        _log.info("phase %s: %s", title, ", ".join(names))
        self.show_phase(title, names)

    def step(self, host: str, text: str, *, changed: bool = False) -> None:
        """A host has got to this step; ``changed`` when the step changed it."""
        _log.info("%s: %s%s", host, text, " (changed)" if changed else "")
        self.show_step(host, text, changed)

    def done(self, outcome: HostOutcome) -> None:
        """A host is through with the run, well or not."""
        _log.info("%s: %s %s", outcome.host, outcome.state, outcome.reason or "")
        self.show_done(outcome)

    def note(self, text: str) -> None:
        """Something worth knowing that is no host's step."""
        _log.info("%s", text)
        self.show_note(text)

    def transfer(self, name: str, done: int, total: int | None) -> None:
        """A file on its way to the controller; bytes."""
        self.show_note(f"{name}: {done * 100 // total} %") if total else None

    def show_phase(self, title: str, hosts: list[str]) -> None: ...

    def show_step(self, host: str, text: str, changed: bool) -> None: ...

    def show_done(self, outcome: HostOutcome) -> None: ...

    def show_note(self, text: str) -> None: ...

    def close(self) -> None: ...


class Silent(Progress):
    """Logs, shows nothing."""
