"""`nodestrap lab up`: hosts that answer on SSH, a registry with the checks' images, and an inventory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from installer.errors import ConnectError, NodestrapError, UsageError
from installer.lab import inventory, network, paths, ssh, state
from installer.lab.backend import Backend, backend
from installer.lab.down import lock_path, tear_down
from installer.lab.lock import exclusive
from installer.lab.registry import Registry
from installer.lab.standard_images import push_standard_images, standard_images
from installer.lab.state import MARKER, Host, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installer.lab.progress import Progress


def up(name: str, nodes: int | None, kind: str | None, inventory_dir: Path | None, progress: Progress) -> Lab:
    """Bring the lab called `name` up and return it. A lab that is up is left as it is; one that lost a host
    or is to have more `nodes` gets them.

    `nodes` and `kind` (nspawn or vm) default to what the lab has, else to one nspawn host. A new lab that
    cannot be finished is removed again. Raises UsageError, LockedError, ConnectError, NodestrapError.
    """
    state.check_name(name)
    with exclusive(lock_path(name), f"lab {name!r}"):
        present = state.load(name)
        chosen = backend(kind or (present.backend if present else "nspawn"))
        chosen.check()
        standard_images()  # a missing busybox shows before anything is made
        chosen.prepare(progress)
        with network.choosing_subnet():  # until the lab has its address, another one would pick the same
            lab = _planned(name, present, nodes, kind, inventory_dir, chosen)
            if present is None and lab.directory.exists():
                tear_down(name)  # a crash came before lab.json
            lab.save()
            with _removed_on_failure(name, present, progress), progress.step(f"network {lab.subnet}"):
                chosen.connect(lab)
        with _removed_on_failure(name, present, progress):
            _raise(lab, chosen, progress)
        return lab


def _planned(
    name: str,
    present: Lab | None,
    nodes: int | None,
    kind: str | None,
    inventory_dir: Path | None,
    chosen: Backend,
) -> Lab:
    """The lab as it shall be. Raises UsageError when that contradicts the lab as it is."""
    if present is None:
        subnet = network.pick_subnet()
        directory = (inventory_dir or paths.inventory_directory(name)).absolute()
        return Lab(name, kind or "nspawn", subnet, directory, chosen.hosts(subnet, nodes or 1, ()))
    again = f"Take it down first (nodestrap lab down --name {name}), or give the new one another --name."
    if kind not in (None, present.backend):
        raise UsageError(f"Lab {name!r} is up with {present.backend} hosts.", fix=again)
    wanted = inventory_dir or paths.inventory_directory(name)
    if wanted.absolute() != present.inventory:
        raise UsageError(f"Lab {name!r} is up, with its inventory in {present.inventory}.", fix=again)
    count = nodes or len(present.hosts)
    if count < len(present.hosts):
        raise UsageError(
            f"Lab {name!r} has {len(present.hosts)} hosts; it cannot shrink to {count}.", fix=again
        )
    hosts = chosen.hosts(present.subnet, count, present.hosts)
    return Lab(name, present.backend, present.subnet, present.inventory, hosts)


@contextmanager
def _removed_on_failure(name: str, present: Lab | None, progress: Progress) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if present is None:
            progress.say("removing what was made so far")
            tear_down(name)
        raise


def _raise(lab: Lab, chosen: Backend, progress: Progress) -> None:
    ssh.make_keys(lab)
    with ThreadPoolExecutor(max_workers=len(lab.hosts) + 1) as pool:
        registry = pool.submit(_start_registry, lab, chosen, progress)
        given_up = threading.Event()
        booting = [pool.submit(_boot, lab, host, chosen, progress, given_up) for host in lab.hosts]
        try:
            inventory.write(lab, registry.result())
            for host in booting:
                host.result()
        except BaseException:
            given_up.set()  # leaving the block waits for the others: not until they have booted
            raise


def _start_registry(lab: Lab, chosen: Backend, progress: Progress) -> str:
    with progress.step("registry and its images"):
        registry = Registry(lab.directory / "registry", environment={MARKER: str(lab.directory)})
        address = registry.start(chosen.registry_address(lab))
        push_standard_images(address)
    return chosen.registry_url(lab, address)


def _boot(lab: Lab, host: Host, chosen: Backend, progress: Progress, given_up: threading.Event) -> None:
    if chosen.running(lab, host):
        progress.say(f"{host.name} was up")
        return
    with progress.step(f"{host.name} booted, sshd on {host.address}:{host.port}"):
        chosen.boot(lab, host)

        def alive() -> None:
            if given_up.is_set():
                raise NodestrapError("no longer waited for: another step failed", host=host.name)
            # more than once: while a process executes another program, the kernel shows neither's arguments
            if not any(chosen.running(lab, host) or given_up.wait(0.1) for _ in range(10)):
                raise NodestrapError(
                    f"it ended while booting: {_last(chosen.console(lab, host))}", host=host.name
                )

        try:
            ssh.await_banner(host, seconds=chosen.boot_seconds, check=alive)
        except ConnectError as error:
            error.fix = f"Its console ends with: {_last(chosen.console(lab, host))}"
            raise
        ssh.ask(lab, host, "true")


def _last(console: str) -> str:
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    return " | ".join(lines[-5:]) or "(nothing was printed)"
