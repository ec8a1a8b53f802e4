"""Log throughput: how long one container at full speed takes until its last byte is in its log file."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from installer.bench.cases import LABEL, Side
from installer.bench.samples import Samples
from installer.verify.pods import remove_pod
from pycri._generated import cri_pb2

_LINE = "a line of eighty bytes, newline included, as a program would write it to its log"[:79]
_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.005


def full_speed(side: Side, samples: Samples, number: int, megabytes: int) -> None:
    """One container writes ``megabytes`` MB of 80-byte lines. The endpoint must be on this machine.

    Raises RuntimeError when the log is not complete in time.
    """
    with tempfile.TemporaryDirectory(prefix="nodestrap-bench-") as directory:
        config = side.pod_config(f"logs-{number}")
        config.log_directory = directory
        pod = side.run_pod(config)
        script = f"yes '{_LINE}' | head -c {megabytes * 1_000_000}"
        container = cri_pb2.ContainerConfig(
            metadata=cri_pb2.ContainerMetadata(name="writer"),
            image=cri_pb2.ImageSpec(image=side.image),
            command=["sh", "-c", script],
            labels={LABEL: "1"},
            log_path="writer.log",
        )
        request = cri_pb2.CreateContainerRequest(pod_sandbox_id=pod, config=container, sandbox_config=config)
        container_id = side.cri.runtime.CreateContainer(request).container_id
        with samples.time(side.index, f"log {megabytes} MB"):
            side.start(container_id)
            _await_log(side, container_id, Path(directory, "writer.log"), megabytes * 1_000_000)
        remove_pod(side.cri, pod)


def _await_log(side: Side, container_id: str, log: Path, size: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    # every line grows by its prefix, stamp, stream and tag: at least 30 bytes whatever the stamp's precision
    least = size + size // 80 * 30
    request = cri_pb2.ContainerStatusRequest(container_id=container_id)
    while time.monotonic() < deadline:
        if log.exists() and log.stat().st_size >= least:
            state = side.cri.runtime.ContainerStatus(request).status.state
            if state == cri_pb2.CONTAINER_EXITED:
                return
        time.sleep(_POLL_SECONDS)
    written = log.stat().st_size if log.exists() else 0
    raise RuntimeError(f"{side.cri.target}: {log} has {written} of at least {least} bytes")
