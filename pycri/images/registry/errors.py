"""How a request to a registry fails, and what the CRI says then."""

from __future__ import annotations

from pycri import errors


class RegistryError(Exception):
    """One host's answer was not what we asked for; the next host may still have it."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later: no answer at all, 408, 429 and 5xx."""
        return self.status in (0, 408, 429) or 500 <= self.status <= 599

    def to_cri(self, what: str) -> errors.PycriError:
        """The error for the kubelet; it looks for the prefix ``RegistryUnavailable`` (cri-api, errors.go)."""
        if self.status in (401, 403):
            return errors.PermissionDenied(f"{what}: {self}; check the pull secret and the image's name")
        if self.status == 404:
            return errors.NotFound(f"{what}: {self}")
        if self.temporary:
            return errors.Unavailable(f"RegistryUnavailable: {what}: {self}")
        return errors.Unknown(f"{what}: {self}")


class BadCertificate(RegistryError):
    """TLS failed: waiting does not help, and another scheme is not tried."""

    @property
    def temporary(self) -> bool:
        return False
