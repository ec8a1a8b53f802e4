"""The signal that asks a container to end: the CRI's, else the image's, else SIGTERM."""

from __future__ import annotations

import signal

from pycri import errors
from pycri._generated import cri_pb2 as cri

_RTMIN, _RTMAX = 34, 64  # as Linux and Go count them; C libraries keep the first two for themselves
# Names that are the same signal under another name, or that Python does not know.
_ALIASES = {"SIGCLD": 17, "SIGIOT": 6, "SIGPOLL": 29, "SIGSTKFLT": 16}


def number_of(wanted: cri.Signal, image: str) -> int:
    """Signal number. Raises InvalidArgument: the image names one that Linux does not have."""
    if wanted != cri.RUNTIME_DEFAULT:
        return _number(cri.Signal.Name(wanted).replace("MINPLUS", "MIN+").replace("MAXMINUS", "MAX-"))
    return _number(image) if image else int(signal.SIGTERM)


def _number(name: str) -> int:
    if name.isdigit() and 0 < int(name) <= _RTMAX:
        return int(name)
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    if full in _ALIASES:
        return _ALIASES[full]
    for base, start, sign in (("SIGRTMIN", _RTMIN, 1), ("SIGRTMAX", _RTMAX, -1)):
        offset = full.removeprefix(base).lstrip("+-")
        if full.startswith(base) and (offset.isdigit() or not offset):
            number = start + sign * int(offset or 0)
            if _RTMIN <= number <= _RTMAX:
                return number
    try:
        return int(signal.Signals[full])
    except KeyError:
        raise errors.InvalidArgument(f'"{name}" is not a signal') from None
