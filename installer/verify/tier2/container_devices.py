"""Devices of the host."""

from __future__ import annotations

from installer.verify.check import Failed, check, expect
from installer.verify.client import CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2

_HOST = "/dev/kmsg"
"""On every Linux, and none that a container gets anyway; opening it for writing does nothing."""


@check(
    "container.devices",
    tier=2,
    title="Gives a device of the host, with the permissions asked for",
    proves=(
        "Device: container_path, host_path, permissions, held by the devices cgroup; a missing one is refused"
    ),
    fix="device plugins depend on it: the container's OCI linux.devices and linux.resources.devices",
)
def container_devices(ctx: Context) -> str:
    pod = ctx.container.pod
    devices = [cri_pb2.Device(container_path="/dev/verify-rw", host_path=_HOST, permissions="rw")]
    with pod.running(name="devices", devices=devices) as container:
        container.output("test", "-c", "/dev/verify-rw")
        container.output("sh", "-c", ": > /dev/verify-rw")
    devices[0].permissions = "r"
    with pod.running(name="devices-r", devices=devices) as container:
        refused = container.exec("sh", "-c", ": > /dev/verify-rw")
        expect(refused.exit_code != 0, 'a device given with "r" is opened for writing')
    expect(
        ctx.container.exec("test", "-e", _HOST).exit_code != 0, f"{_HOST} is there without being asked for"
    )
    missing = [cri_pb2.Device(container_path="/dev/verify", host_path="/dev/nodestrap-none", permissions="r")]
    try:
        with pod.running(name="devices-none", devices=missing):
            pass
    except CriError as error:
        return f"{_HOST} as /dev/verify-rw; a missing one: {error.details[-80:]}"
    raise Failed("a container runs with a device that the host does not have")
