"""What `lab up` decides before it touches the machine, and that a failure leaves nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from installer.errors import ConnectError, NodestrapError, UsageError
from installer.lab import up as module
from installer.lab.progress import Progress
from installer.lab.state import Host, Lab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass
class FakeBackend:
    """Hosts that are only remembered."""

    boot_seconds: float = 0.2
    dies: bool = False
    booted: list[str] = field(default_factory=list)

    def check(self) -> None:
        pass

    def hosts(self, subnet: str, count: int, present: Sequence[Host]) -> tuple[Host, ...]:
        return (*present, *(Host(f"node{i}", i, "127.0.0.1", 1) for i in range(len(present) + 1, count + 1)))

    def prepare(self, progress: Progress) -> None:
        pass

    def connect(self, lab: Lab) -> None:
        pass

    def registry_address(self, lab: Lab) -> str:
        return "127.0.0.1:0"

    def registry_url(self, lab: Lab, address: str) -> str:
        return f"http://{address}"

    def boot(self, lab: Lab, host: Host) -> None:
        self.booted.append(host.name)

    def running(self, lab: Lab, host: Host) -> bool:
        return host.name in self.booted and not self.dies

    def halt(self, lab: Lab, host: Host) -> None:
        pass

    def console(self, lab: Lab, host: Host) -> str:
        return "Welcome\n\n  Kernel panic \n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """`lab up` without a machine: fake hosts, no registry, and a teardown that only removes the state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = FakeBackend()
    monkeypatch.setattr(module, "backend", lambda kind: made)
    monkeypatch.setattr(module, "standard_images", tuple)
    monkeypatch.setattr(module.network, "pick_subnet", lambda: "10.213.0.0/24")
    monkeypatch.setattr(module.ssh, "make_keys", lambda lab: None)
    monkeypatch.setattr(module, "_start_registry", lambda lab, chosen, progress: "http://registry")

    def tear_down(name: str) -> None:
        (tmp_path / "torn").write_text(name)

    monkeypatch.setattr(module, "tear_down", tear_down)
    return made


def _up(tmp_path: Path, **options: object) -> Lab:
    given = {"nodes": None, "kind": None, "inventory_dir": tmp_path / "inventory", **options}
    return module.up("demo", progress=Progress(quiet=True), **given)  # type: ignore[arg-type]


def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.ssh, "await_banner", lambda host, seconds, check: check())
    monkeypatch.setattr(module.ssh, "ask", lambda lab, host, script: "")


def test_a_lab_grows_but_neither_shrinks_nor_changes_its_kind(
    fake: FakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(monkeypatch)
    assert [host.name for host in _up(tmp_path).hosts] == ["node1"]
    assert len(_up(tmp_path, nodes=3).hosts) == 3
    assert fake.booted == ["node1", "node2", "node3"]
    with pytest.raises(UsageError, match="it cannot shrink to 2"):
        _up(tmp_path, nodes=2)
    with pytest.raises(UsageError, match="is up with nspawn hosts"):
        _up(tmp_path, kind="vm")
    with pytest.raises(UsageError, match="with its inventory in"):
        _up(tmp_path, inventory_dir=tmp_path / "elsewhere")
    assert not (tmp_path / "torn").exists()


def test_a_new_lab_that_does_not_boot_is_removed_with_the_console_quoted(
    fake: FakeBackend, tmp_path: Path
) -> None:
    with pytest.raises(ConnectError, match=r"does not answer on 127\.0\.0\.1:1") as caught:
        _up(tmp_path)
    assert caught.value.fix == "Its console ends with: Welcome | Kernel panic"
    assert caught.value.host == "node1"
    assert (tmp_path / "torn").read_text() == "demo"


def test_a_host_that_ends_while_booting_is_not_waited_for(fake: FakeBackend, tmp_path: Path) -> None:
    fake.dies, fake.boot_seconds = True, 60
    with pytest.raises(NodestrapError, match=r"it ended while booting: Welcome \| Kernel panic"):
        _up(tmp_path)


def test_a_lab_that_was_up_survives_a_failed_up(
    fake: FakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as answering:
        _answering(answering)
        _up(tmp_path)
    with pytest.raises(ConnectError):
        _up(tmp_path, nodes=2)
    assert not (tmp_path / "torn").exists()
