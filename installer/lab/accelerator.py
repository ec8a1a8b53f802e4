"""Whether KVM can run a VM here. /dev/kvm alone proves nothing: nested, it may fail at the first loop."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from installer.lab.initramfs import Member, cpio
from installer.lab.standard_images import static_busybox

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORKS = b"nodestrap: the guest runs"
_INIT = b"#!/bin/busybox sh\n/bin/busybox echo %s\n/bin/busybox poweroff -f\n" % _WORKS
_SECONDS = 15.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def accelerator(qemu: Sequence[str], kernel: Path, console: str) -> list[str]:
    """qemu's options for the fastest way to run `kernel` here: KVM if it boots it, else emulation.

    `qemu` is the program with its machine options, `console` the guest's serial device. The answer is kept
    beside the kernel until the machine boots again.
    """
    memory, boot = kernel.with_name("accelerator"), _BOOT_ID.read_text().strip()
    if not memory.exists() or memory.read_text().split()[:1] != [boot]:
        works = os.access("/dev/kvm", os.R_OK | os.W_OK) and _boots(qemu, kernel, console)
        memory.write_text(f"{boot} {'kvm' if works else 'tcg'}\n")
    if memory.read_text().split()[1] == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # Exactly `max`: with single features switched off (svm=off), a guest of qemu 7.2 lost mounts at boot.
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def _boots(qemu: Sequence[str], kernel: Path, console: str) -> bool:
    """Whether `kernel` under KVM gets as far as running a program."""
    with tempfile.TemporaryDirectory(prefix="nodestrap-kvm-") as scratch:
        archive, output = Path(scratch, "initramfs"), Path(scratch, "output")
        busybox = Member("bin/busybox", static_busybox().read_bytes(), 0o755)
        archive.write_bytes(cpio([busybox, Member("init", _INIT, 0o755), Member("dev", None, 0o755)]))
        argv = [
            *qemu,
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "256",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ]
        argv += ["-kernel", str(kernel), "-initrd", str(archive), "-append", f"console={console} panic=-1"]
        with (
            output.open("wb") as sink,
            subprocess.Popen(
                [*argv, "-serial", "stdio"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            ) as guest,
        ):
            deadline = time.monotonic() + _SECONDS
            while guest.poll() is None and time.monotonic() < deadline:
                # qemu stays, paused, after such an error.
                if b"KVM internal error" in output.read_bytes():
                    break
                time.sleep(0.05)
            guest.kill()
        return _WORKS in output.read_bytes()
