"""The pause program: a static ELF executable, assembled here from a dozen instructions per architecture.

It is PID 1 of a pod. In C it would read:

    sigaction(SIGCHLD, SIG_IGN);                  // the kernel then reaps orphans that end up here
    sigprocmask(SIG_BLOCK, {SIGINT, SIGTERM});    // blocked, so queued even though PID 1 ignores by default
    do r = sigtimedwait({SIGINT, SIGTERM}); while (r == -EINTR);
    exit_group(r < 0);

It needs no libc, no stack and no writable memory, so its image has one file and no shell to attack.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_BASE = 0x400000
_HEADERS = 64 + 2 * 56  # ELF header and two program headers
_PAGE = 0x10000  # arm64 kernels have pages up to 64 KiB

# signal.h of the kernel, the same on both architectures
_SIGINT, _SIGTERM, _SIGCHLD = 2, 15, 17
_SIG_IGN = 1
_SIGSET_BYTES = 8
_EINTR = 4

#: struct kernel_sigaction: handler, flags, restorer, mask.
_IGNORE = struct.pack("<QQQQ", _SIG_IGN, 0, 0, 0)
_WAITED_FOR = struct.pack("<Q", 1 << (_SIGINT - 1) | 1 << (_SIGTERM - 1))


def build(architecture: str) -> bytes:
    """The executable for ``amd64`` or ``arm64`` (names as in OCI images); KeyError for another."""
    machine, assemble = _ARCHITECTURES[architecture]
    size = len(assemble(0, 0))
    code_start = _BASE + _HEADERS
    data_start = code_start + (size + 7) // 8 * 8
    code = assemble(data_start, data_start + len(_IGNORE)).ljust(data_start - code_start, b"\0")
    return _elf(machine, code + _IGNORE + _WAITED_FOR)


def _amd64(ignore: int, waited_for: int) -> bytes:
    """System call in eax, arguments in edi, esi, edx, r10d; the kernel preserves all but rax, rcx and r11."""
    wait = (
        b"\xb8" + _u32(128)  # mov eax, rt_sigtimedwait
        + b"\xbf" + _u32(waited_for)  # mov edi, waited_for
        + b"\x31\xf6"  # xor esi, esi         (no siginfo)
        + b"\x31\xd2"  # xor edx, edx         (no timeout)
        + b"\x0f\x05"  # syscall
        + b"\x83\xf8" + struct.pack("<b", -_EINTR)  # cmp eax, -EINTR
    )  # fmt: skip
    return (
        b"\xb8" + _u32(13)  # mov eax, rt_sigaction
        + b"\xbf" + _u32(_SIGCHLD)  # mov edi, SIGCHLD
        + b"\xbe" + _u32(ignore)  # mov esi, ignore
        + b"\x31\xd2"  # xor edx, edx         (the old action is not wanted)
        + b"\x41\xba" + _u32(_SIGSET_BYTES)  # mov r10d, 8   (for all three calls)
        + b"\x0f\x05"  # syscall
        + b"\xb8" + _u32(14)  # mov eax, rt_sigprocmask
        + b"\x31\xff"  # xor edi, edi         (SIG_BLOCK)
        + b"\xbe" + _u32(waited_for)  # mov esi, waited_for
        + b"\x0f\x05"  # syscall
        + wait
        + b"\x74" + struct.pack("<b", -(len(wait) + 2))  # je wait
        + b"\x89\xc7"  # mov edi, eax
        + b"\xc1\xef\x1f"  # shr edi, 31          (1 if the wait failed, else 0)
        + b"\xb8" + _u32(231)  # mov eax, exit_group
        + b"\x0f\x05"  # syscall
    )  # fmt: skip


def _arm64(ignore: int, waited_for: int) -> bytes:
    """System call in x8, arguments in x0 to x3; the kernel preserves all but x0."""
    words: list[int] = []

    def movz(register: int, value: int) -> None:
        words.append(0xD2800000 | value << 5 | register)

    def adr(register: int, address: int) -> None:
        offset = address - (_BASE + _HEADERS + 4 * len(words)) if address else 0
        words.append(0x10000000 | (offset & 3) << 29 | (offset >> 2 & 0x7FFFF) << 5 | register)

    def svc() -> None:
        words.append(0xD4000001)

    movz(8, 134)  # rt_sigaction
    movz(0, _SIGCHLD)
    adr(1, ignore)
    movz(2, 0)
    movz(3, _SIGSET_BYTES)
    svc()
    movz(8, 135)  # rt_sigprocmask
    movz(0, 0)  # SIG_BLOCK
    adr(1, waited_for)
    movz(2, 0)
    svc()
    wait = len(words)
    movz(8, 137)  # rt_sigtimedwait
    adr(0, waited_for)
    movz(1, 0)
    movz(2, 0)
    svc()
    words.append(0x3100001F | _EINTR << 10)  # cmn w0, #EINTR
    words.append(0x54000000 | (wait - len(words) & 0x7FFFF) << 5)  # b.eq wait
    words.append(0x531F7C00)  # lsr w0, w0, #31
    movz(8, 94)  # exit_group
    svc()
    return struct.pack(f"<{len(words)}I", *words)


def _elf(machine: int, body: bytes) -> bytes:
    """A static executable: the file mapped once, readable and executable; a stack that is not executable."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian, version 1, System V
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 2, 0, 0, 0,
    )  # fmt: skip
    size = _HEADERS + len(body)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, _PAGE)  # PT_LOAD, R+X
    stack = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)  # PT_GNU_STACK, R+W
    return identity + header + load + stack + body


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)


_ARCHITECTURES: dict[str, tuple[int, Callable[[int, int], bytes]]] = {
    "amd64": (62, _amd64),  # EM_X86_64
    "arm64": (183, _arm64),  # EM_AARCH64
}
