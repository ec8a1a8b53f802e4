"""How a session ended, as Kubernetes' clients read it from the error stream."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """``exit_code`` 0 without ``error`` is success; ``error`` says why there is no exit code."""

    exit_code: int = 0
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.exit_code and not self.error

    @property
    def message(self) -> str:
        if self.error:
            return f"Internal error occurred: {self.error}"
        return f"command terminated with non-zero exit code: exit status {self.exit_code}"

    @classmethod
    def decode(cls, text: bytes) -> Status:
        """From the whole of a v4 or v5 error stream; nothing there means success. A text is an error."""
        if not text:
            return cls()
        try:
            document = json.loads(text)
            if document.get("status") == "Success":
                return cls()
            for cause in (document.get("details") or {}).get("causes") or ():
                if cause.get("reason") == "ExitCode":
                    return cls(int(cause["message"]))
            return cls(error=str(document.get("message") or document))
        except (ValueError, AttributeError, KeyError, TypeError):
            return cls(error=text.decode(errors="replace"))

    def encode(self, version: int) -> bytes:
        """Protocols before v4 get text, and nothing on success; v4 and v5 get a meta/v1 Status."""
        if version < 4:
            return b"" if self.ok else self.message.encode()
        if self.ok:
            return json.dumps({"metadata": {}, "status": "Success"}).encode()
        details: dict[str, object]
        if self.error:
            reason, details = "InternalError", {"causes": [{"message": self.error}]}
        else:
            reason = "NonZeroExitCode"
            details = {"causes": [{"reason": "ExitCode", "message": str(self.exit_code)}]}
        document: dict[str, object] = {
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": reason,
            "details": details,
        }
        if self.error:
            document["code"] = 500
        return json.dumps(document).encode()
