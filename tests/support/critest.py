"""The upstream CRI validation suite (kubernetes-sigs/cri-tools' critest), run beside the project.

    CRITEST=/path/to/critest python -m tests.support.critest [--builtin] [--benchmark] [critest arguments]

runs it once against pycri, or with ``--builtin`` against the same containerd's own CRI, prints what did not
pass, and leaves one line per test (``passed|failed|skipped NAME``) in the file ``$CRITEST_REPORT`` names.

$CRITEST is the binary, $CONTAINERD the containerd. $CRITEST_REGISTRY (host:port, plain HTTP) names a registry
with the suite's images under their upstream repositories; without it they come from upstream.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.support.containerd import ContainerdHost
from tests.support.pycri import PycriHost

# What critest pulls from.
UPSTREAMS = ("registry.k8s.io", "k8s.gcr.io", "gcr.io")
SANDBOX_IMAGE = "registry.k8s.io/pause:3.10.1"


@dataclass
class Report:
    """Test names by outcome; of the failed ones with the message."""

    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    output: str = ""

    def lines(self) -> list[str]:
        found = [("passed", name) for name in self.passed] + [("failed", name) for name in self.failed]
        found += [("skipped", name) for name in self.skipped]
        return [f"{outcome} {name}" for outcome, name in sorted(found, key=lambda item: item[::-1])]


@contextmanager
def host() -> Iterator[ContainerdHost]:
    """A containerd for the suite, with its own CRI on beside what pycri will use.

    One at a time on this machine: the suite has fixed ports on the host.
    """
    with Path(tempfile.gettempdir(), "nst-critest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ContainerdHost(cri=True, portmap=True, sandbox_image=SANDBOX_IMAGE) as containerd:
            registry = os.environ.get("CRITEST_REGISTRY")
            for upstream in UPSTREAMS if registry else ():
                directory = containerd.certs_dir / upstream
                directory.mkdir()
                (directory / "hosts.toml").write_text(f'[host."http://{registry}"]\n')
            yield containerd


def run(socket: str, arguments: Sequence[str] = (), *, timeout: float = 900.0) -> Report:
    """Run the suite against the CRI on ``socket``. Raises AssertionError when it gives no report."""
    binary = os.environ["CRITEST"]
    with tempfile.TemporaryDirectory(prefix="nst-critest-") as directory:
        report = Path(directory, "report.xml")
        command = [binary, f"-runtime-endpoint=unix://{socket}", f"-ginkgo.junit-report={report}"]
        command += ["-ginkgo.no-color", "-config=/nonexistent", *arguments]
        # -parallel wants the program ginkgo, which is built beside critest
        path = f"{Path(binary).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "PATH": path, "TMPDIR": directory},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        output = done.stdout + done.stderr
        assert report.exists(), f"critest ended with {done.returncode} and no report:\n{output[-4000:]}"
        return read(report, output)


def read(report: Path, output: str) -> Report:
    """The suite's JUnit file as a Report."""
    found = Report(output=output)
    for case in ElementTree.parse(report).iter("testcase"):  # written by a program of ours
        name, status = case.attrib["name"], case.attrib["status"]
        if not name.startswith("[It] "):
            if status in ("passed", "skipped"):
                continue  # set-up of the whole suite
            found.failed[name] = _message(case)
            continue
        name = name.removeprefix("[It] ")
        if status == "passed":
            found.passed.add(name)
        elif status in ("skipped", "pending"):
            found.skipped.add(name)
        else:
            found.failed[name] = _message(case)
    return found


def _message(case: ElementTree.Element) -> str:
    parts = [element for kind in ("failure", "error") for element in case.iter(kind)]
    return "\n".join(f"{part.get('message', '')}\n{part.text or ''}" for part in parts).strip()


def lacks_image(message: str) -> bool:
    """Whether a failure is about an image, named by digest, that $CRITEST_REGISTRY does not have."""
    registry = os.environ.get("CRITEST_REGISTRY")
    named = re.search(r"(?:[\w.-]+/)?([\w./-]+)@(sha256:[0-9a-f]{64})", message)
    if not registry or not named:
        return False
    request = urllib.request.Request(f"http://{registry}/v2/{named[1]}/manifests/{named[2]}", method="HEAD")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10):
            return False
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 404


def main(arguments: list[str]) -> int:
    """Run once and print what did not pass; 1 when something failed for another reason than its image."""
    builtin = "--builtin" in arguments
    arguments = [word for word in arguments if word != "--builtin"]
    with host() as containerd:
        if builtin:
            found = run(containerd.address, arguments)
        else:
            with PycriHost(containerd) as node:
                found = run(node.socket, arguments)
    print(found.output)
    for name, message in sorted(found.failed.items()):
        print(f"failed: {name}{' (no such image in the registry)' if lacks_image(message) else ''}")
    for name in sorted(found.skipped):
        print(f"skipped: {name}")
    print(f"{len(found.passed)} passed, {len(found.failed)} failed, {len(found.skipped)} skipped")
    if "CRITEST_REPORT" in os.environ:
        Path(os.environ["CRITEST_REPORT"]).write_text("\n".join(found.lines()) + "\n")
    return 0 if all(lacks_image(message) for message in found.failed.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
