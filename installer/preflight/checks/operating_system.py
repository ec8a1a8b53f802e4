"""Is this a system that the roles know how to set up?"""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_PROVEN = {("debian", "12"), ("debian", "13")}
_FAMILIES = {"debian", "ubuntu", "rhel", "fedora", "centos", "rocky", "almalinux"}


def check(subject: Subject) -> Iterator[Finding]:
    facts = subject.facts
    if facts.architecture is None:
        yield error(f"its architecture is {facts.machine}", "use an amd64 (x86_64) or arm64 (aarch64) host")
    if not {facts.os_id, *facts.os_like} & _FAMILIES:
        yield error(
            f"it runs {facts.os_name}, which no role knows", "use Debian, Ubuntu or a RHEL-like system"
        )
    elif (facts.os_id, facts.os_version) not in _PROVEN:
        yield warning(
            f"nodestrap is not proven on {facts.os_name}", "proven are Debian 12 and 13; try it in the lab"
        )
    if facts.init and facts.init != "systemd":
        yield error(
            f"its PID 1 is {facts.init}, not systemd",
            "the runtime's units need systemd: boot the host with it",
        )
