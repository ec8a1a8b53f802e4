"""br_netfilter and conntrack for Services and network policies, an xtables or nftables back end for the
rules."""

from __future__ import annotations

from collections.abc import Iterator

from installer.preflight.finding import Finding, Subject, error, warning

_NEEDED = ("br_netfilter", "nf_conntrack")


def check(subject: Subject) -> Iterator[Finding]:
    modules = subject.facts.modules
    if not modules:
        return  # the probe could not look: reported by the check "facts"
    for name in _NEEDED:
        if modules.get(name) == "missing":
            yield error(f"the kernel module {name} is missing", _fix(subject))
    if "missing" == modules.get("ip_tables") == modules.get("nf_tables"):
        yield error("the kernel has neither ip_tables nor nf_tables", _fix(subject))
    if subject.facts.container and any(modules.get(name) == "available" for name in _NEEDED):
        yield warning(
            f"it is a {subject.facts.container} container and cannot load kernel modules itself",
            "load overlay and br_netfilter on the machine that carries it",
        )


def _fix(subject: Subject) -> str:
    if subject.facts.container:
        return "load it on the machine that carries this container"
    return f"install the full kernel package for {subject.facts.kernel} (a 'cloud' kernel may lack it)"
