"""A host that answers commands from a script, for checks that read the node."""

from __future__ import annotations

from collections.abc import Callable

from installer.verify.host import ByteStream, CommandResult, Host


class ScriptedHost(Host):
    """Runs `answer` for each script but ``id -u``, which says root."""

    name = "node1"

    def __init__(self, answer: Callable[[str], bytes | int] = lambda _script: b"", *, uid: int = 0) -> None:
        self.answer = answer
        self.uid = uid
        self.scripts: list[str] = []

    def execute(self, script: str, *, stdin: bytes, timeout: float) -> CommandResult:
        if script == "id -u":
            return CommandResult(0, f"{self.uid}\n".encode(), b"")
        self.scripts.append(script)
        said = self.answer(script)
        return (
            CommandResult(said, b"", b"it failed") if isinstance(said, int) else CommandResult(0, said, b"")
        )

    def dial(self, address: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        raise OSError("nothing listens on a scripted host")
