"""Tables, lines and JUnit."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from installer.verify.catalogue import all_checks
from installer.verify.report.junit import junit_xml
from installer.verify.report.table import print_checks, print_report, result_line
from installer.verify.result import EndpointReport, Outcome, Result


def sample(evidence: str = "it is [bold]wrong[/]\nhere") -> EndpointReport:
    report = EndpointReport("node1", "unix:///run/x.sock", runtime="fake 1.0 (runtime.v1)", seconds=1.25)
    for name, outcome, said in (
        ("pod.good", Outcome.PASSED, "seen"),
        ("pod.bad", Outcome.FAILED, evidence),
        ("pod.old", Outcome.SKIPPED, "too old"),
    ):
        fix = "do this" if outcome is Outcome.FAILED else None
        report.results.append(Result(name, 1, "Title", "proves", outcome, said, fix, 0.5))
    return report


def printed(report: EndpointReport, *, terminal: bool, quiet: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, no_color=True)
    print_report(report, console, quiet=quiet)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_gets_a_table_and_markup_stays_text() -> None:
    text = printed(sample(), terminal=True)
    assert "[bold]wrong[/]" in text
    assert "pod.good" in text
    assert "fix: do this" in text
    assert "1 passed, 1 failed, 1 skipped in 1.2 s" in text


def test_elsewhere_rows_were_printed_as_they_came() -> None:
    text = printed(sample(), terminal=False)
    assert "pod.good" not in text
    assert text.splitlines()[-1].startswith("node1: unix:///run/x.sock (fake 1.0 (runtime.v1)): 1 passed")
    line = result_line("node1", sample().results[1])
    assert line.startswith("fail  node1  pod.bad")
    assert "\n" not in line


def test_quiet_still_names_failures() -> None:
    assert "pod.bad: it is [bold]wrong[/]" in printed(sample(), terminal=True, quiet=True)


def test_an_unreachable_host_and_leftovers_are_said() -> None:
    text = printed(
        EndpointReport("node2", "unix:///x", error="no route", fix="plug it in", leftovers=["pod a: busy"]),
        terminal=False,
    )
    assert "node2: no route\n  fix: plug it in" in text
    assert "not removed: pod a: busy" in text


def test_what_a_gate_kept_from_running_is_summed_up() -> None:
    report = sample()
    for number in range(3):
        skipped = Result(f"pod.x{number}", 1, "T", "p", Outcome.SKIPPED, "api.version failed", None, 0.0)
        report.results.append(replace(skipped, behind="api.version"))
    text = printed(report, terminal=True)
    assert "node1: 3 further checks did not run, because api.version failed" in text
    assert "pod.x1" not in text


def test_the_list_names_every_check() -> None:
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
        print_checks(all_checks(), console)
        assert isinstance(console.file, io.StringIO)
        assert all(check.id in console.file.getvalue() for check in all_checks())


def test_junit_counts_and_names() -> None:
    report = sample()
    report.leftovers.append("pod a: busy")
    unreached = EndpointReport("node2", "unix:///x", error="no route", fix="plug it in")
    root = ElementTree.fromstring(junit_xml([report, unreached]))
    first, second = root.findall("testsuite")
    assert {name: first.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "4",
        "failures": "2",
        "skipped": "1",
        "errors": "0",
    }
    failure = first.find("testcase[@name='pod.bad']/failure")
    assert failure is not None
    assert "fix: do this" in (failure.text or "")
    assert second.get("errors") == "1"


@given(st.text())
def test_junit_holds_whatever_a_container_said(evidence: str) -> None:
    ElementTree.fromstring(junit_xml([sample(evidence)]))
