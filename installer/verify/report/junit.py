"""Results as JUnit XML, in the dialect that CI systems agree on: one suite per host, one case per check."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from installer.verify.result import EndpointReport, Outcome

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold in any spelling; evidence may quote a container's bytes."""


def junit_xml(reports: Iterable[EndpointReport]) -> bytes:
    """The document. An unreachable host is a suite with one error; a leftover is a failed case."""
    root = ElementTree.Element("testsuites", name="nodestrap verify")
    for report in reports:
        root.append(_suite(report))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(report: EndpointReport) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=f"{report.host} {report.endpoint}")
    if report.runtime:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="runtime", value=_clean(report.runtime))
    errors = 0
    if report.error is not None:
        errors = 1
        _problem(_case(suite, report, "connect", report.seconds), "error", report.error, report.fix)
    for result in report.results:
        case = _case(suite, report, result.id, result.seconds)
        if result.outcome is Outcome.FAILED:
            _problem(case, "failure", result.evidence, result.fix)
        elif result.outcome is Outcome.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=_clean(result.evidence))
        ElementTree.SubElement(case, "system-out").text = _clean(f"{result.title}\n{result.evidence}")
    for leftover in report.leftovers:
        _problem(_case(suite, report, "clean-up", 0.0), "failure", leftover, "nodestrap verify --cleanup")
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("errors", str(errors))
    suite.set("time", f"{report.seconds:.3f}")
    return suite


def _case(
    suite: ElementTree.Element, report: EndpointReport, name: str, seconds: float
) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", classname=f"verify.{report.host}", name=name, time=f"{seconds:.3f}"
    )


def _problem(case: ElementTree.Element, kind: str, reason: str, fix: str | None) -> None:
    problem = ElementTree.SubElement(case, kind, message=_clean(reason))
    problem.text = _clean(f"{reason}\nfix: {fix}" if fix else reason)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
