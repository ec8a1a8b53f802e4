"""critest's own benchmark against pycri and the same containerd's own CRI, in turn in one run.

    CRITEST=/path/to/critest python -m tests.support.critest_bench [pods and containers a round] [rounds]

Prints the medians of each operation on both sides and their ratio; the environment is critest's (critest.py).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.support import critest
from tests.support.pycri import PycriHost

# Not one that the suite's pods run from: both sides share containerd's content, which a pull would find.
PULLED = "registry.k8s.io/e2e-test-images/nginx:1.14-2"
LISTED = ("busybox:1.29-2", "httpd:2.4.39-4", "nonewprivs:1.3")
_SECONDS = 120

Times = dict[str, list[float]]


def measure(socket: str, number: int) -> Times:
    """One run of the benchmark; milliseconds by operation. Raises AssertionError when something failed."""
    with tempfile.TemporaryDirectory(prefix="nst-critest-") as directory:
        parameters = {
            **{f"{kind}Number": number for kind in ("pods", "containers")},
            "imagesNumber": max(number // 5, 1),
            **{f"{kind}BenchmarkTimeoutSeconds": _SECONDS for kind in ("pod", "container", "image")},
            "imagePullingBenchmarkImage": PULLED,
            "imageListingBenchmarkImages": [f"registry.k8s.io/e2e-test-images/{name}" for name in LISTED],
        }
        file = Path(directory, "parameters.yaml")
        file.write_text(json.dumps(parameters))  # JSON is YAML too
        output = Path(directory, "output")
        output.mkdir()
        report = critest.run(
            socket,
            ["-benchmark", f"-benchmarking-params-file={file}", f"-benchmarking-output-dir={output}"],
        )
        assert not report.failed, report.failed
        found: Times = defaultdict(list)
        for path in output.glob("*.json"):
            data = json.loads(path.read_text())
            for point in data["datapoints"]:
                for name, duration in zip(
                    data["operationsNames"], point["operationsDurationsNs"], strict=True
                ):
                    found[name].append(duration / 1e6)
        assert found, report.output[-4000:]
        return found


def main(arguments: list[str]) -> int:
    number, rounds = (*map(int, arguments), *(30, 2)[len(arguments) :])
    ours: Times = defaultdict(list)
    theirs: Times = defaultdict(list)
    with critest.host() as containerd, PycriHost(containerd) as node:
        sides = [(node.socket, ours), (containerd.address, theirs)]
        for turn in range(rounds):
            for socket, times in sides if turn % 2 == 0 else sides[::-1]:
                for name, values in measure(socket, number).items():
                    times[name] += values
    print(f"{'operation':24}{'pycri ms':>10}{'builtin ms':>12}{'ratio':>8}{'n':>6}")
    for name, values in ours.items():
        mine, other = statistics.median(values), statistics.median(theirs[name])
        print(f"{name:24}{mine:10.1f}{other:12.1f}{mine / other:8.2f}{len(values):6}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
