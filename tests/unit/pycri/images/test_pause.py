"""The pause image: the same bytes everywhere, and the right instructions in them."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from pycri.images import pause, pause_program
from pycri.images.digests import sha256

#: A change here changes the image of every pod's sandbox: it must be meant.
DIGESTS = {
    "amd64": "sha256:2838afc9ad39e5d676ab93e3903232f45fa858648f7c2adb33965310d885b90d",
    "arm64": "sha256:a77951d71be869eddaaf4dbc5da0fcdeadb07e44f18ceb66917e7cf6c5661f1b",
}


@pytest.mark.parametrize("architecture", DIGESTS)
def test_image_is_the_same_bytes_everywhere(architecture: str) -> None:
    built = pause.build(architecture)
    assert sha256(built.manifest) == DIGESTS[architecture]
    with tarfile.open(fileobj=io.BytesIO(built.layer)) as layer:
        (entry,) = layer.getmembers()
        assert (entry.name, entry.mode, entry.mtime, entry.uid) == ("pause", 0o755, 0, 0)
        program = layer.extractfile(entry)
        assert program is not None
        assert program.read() == pause_program.build(architecture)
    assert json.loads(built.config)["architecture"] == architecture


def test_other_architectures_are_refused() -> None:
    with pytest.raises(KeyError):
        pause.build("s390x")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="runs amd64 code")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_amd64_program_waits_and_ends_on_a_signal(number: int, tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause_program.build("amd64"))
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.DEVNULL) as process:
        waiting = Path(f"/proc/{process.pid}/syscall")
        while waiting.read_text().split()[0] != "128":  # rt_sigtimedwait, its third call
            time.sleep(0.001)
        status = Path(f"/proc/{process.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines())
        assert int(fields["SigIgn"], 16) & 1 << (signal.SIGCHLD - 1)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        assert process.wait(10) == 0


def test_arm64_program_makes_the_same_calls() -> None:
    """Runs it on a model of the few instructions it uses, decoded apart from the encoder."""
    program = pause_program.build("arm64")
    assert struct.unpack_from("<HH", program, 16) == (2, 183)
    for answers, exit_code in (([0, 0, -4, 15], 0), ([0, 0, 2], 0), ([0, 0, -22], 1)):
        calls = run_arm64(program, answers)
        assert [call[0] for call in calls] == [134, 135, *[137] * (len(answers) - 2), 94]
        ignore, block, *waits, end = calls
        assert ignore[1] == 17
        assert ignore[3:5] == (0, 8)
        assert memory(program, ignore[2], 32) == struct.pack("<QQQQ", 1, 0, 0, 0)
        assert block[1] == 0
        assert block[3:5] == (0, 8)
        assert memory(program, block[2], 8) == struct.pack("<Q", 0x4002)
        assert all(wait[1:5] == (block[2], 0, 0, 8) for wait in waits)
        assert end[1] == exit_code


def memory(program: bytes, address: int, size: int) -> bytes:
    return program[address - 0x400000 : address - 0x400000 + size]


def run_arm64(program: bytes, answers: list[int]) -> list[tuple[int, ...]]:
    """The system calls as (number, x0, x1, x2, x3); each returns the next of ``answers``."""
    (entry,) = struct.unpack_from("<Q", program, 24)
    registers, calls, pc, zero = [0] * 31, [], entry, False
    replies = iter(answers)
    for _ in range(200):
        (word,) = struct.unpack("<I", memory(program, pc, 4))
        step = 4
        if word >> 23 == 0b110100101:  # MOVZ Xd, #imm16, LSL #0
            assert word >> 21 & 3 == 0
            registers[word & 31] = word >> 5 & 0xFFFF
        elif word >> 31 == 0 and word >> 24 & 31 == 0b10000:  # ADR Xd, label
            registers[word & 31] = pc + ((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3)
        elif word == 0xD4000001:  # SVC #0
            calls.append((registers[8], *registers[:4]))
            if registers[8] == 94:
                return calls
            registers[0] = next(replies) & (2**64 - 1)
        elif word >> 22 == 0b0011000100 and word & 31 == 31:  # CMN Wn, #imm12
            zero = (registers[word >> 5 & 31] + (word >> 10 & 0xFFF)) & 0xFFFFFFFF == 0
        elif word >> 24 == 0b01010100 and word & 31 == 0:  # B.EQ label
            offset = word >> 5 & 0x7FFFF
            step = 4 * (offset - (1 << 19) if offset >> 18 else offset) if zero else 4
        elif word >> 22 == 0b0101001100 and word >> 10 & 63 == 31:  # LSR Wd, Wn, #shift
            registers[word & 31] = (registers[word >> 5 & 31] & 0xFFFFFFFF) >> (word >> 16 & 63)
        else:
            raise AssertionError(f"unexpected instruction {word:08x} at {pc:x}")
        pc += step
    raise AssertionError("it does not end")
