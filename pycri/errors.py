"""Errors of pycri's verbs, one class per gRPC status code that a CRI client may act on.

``server/interceptors.py`` maps them to the wire; ``containerd/`` maps containerd's statuses to them. The
names and meanings are gRPC's (https://grpc.io/docs/guides/status-codes/).
"""

from __future__ import annotations


class PycriError(Exception):
    """Base of every error that a verb raises on purpose; ``code`` is the gRPC status code's name."""

    code = "UNKNOWN"

    @property
    def message(self) -> str:
        return str(self)


class InvalidArgument(PycriError):
    code = "INVALID_ARGUMENT"


class NotFound(PycriError):
    code = "NOT_FOUND"


class AlreadyExists(PycriError):
    code = "ALREADY_EXISTS"


class PermissionDenied(PycriError):
    code = "PERMISSION_DENIED"


class ResourceExhausted(PycriError):
    code = "RESOURCE_EXHAUSTED"


class FailedPrecondition(PycriError):
    code = "FAILED_PRECONDITION"


class Aborted(PycriError):
    code = "ABORTED"


class OutOfRange(PycriError):
    code = "OUT_OF_RANGE"


class Unimplemented(PycriError):
    code = "UNIMPLEMENTED"


class Internal(PycriError):
    code = "INTERNAL"


class Unavailable(PycriError):
    code = "UNAVAILABLE"


class DeadlineExceeded(PycriError):
    code = "DEADLINE_EXCEEDED"


class Unknown(PycriError):
    code = "UNKNOWN"
