"""The modules of the role node_reset: services, data, packages, kernel and the packet filter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import ansible_modules


class Systemd:
    """Answers ``systemctl show``; remembers what else it was told."""

    def __init__(self, states: dict[str, tuple[str, str]]) -> None:
        self.states, self.told = states, []  # type: ignore[var-annotated]

    def __call__(self, _module: Any, argv: list[str], **_: Any) -> tuple[int, str, str]:
        if argv[1] == "show":
            names = argv[argv.index("--") + 1 :]
            blocks = []
            for name in names:
                enabled, active = self.states.get(name, ("", "inactive"))
                blocks.append(f"UnitFileState={enabled}\nActiveState={active}\n")
            return 0, "\n".join(blocks), ""
        self.told.append(" ".join(argv[1:]))
        return 0, "", ""


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    from ansible.module_utils.basic import AnsibleModule

    found = Systemd({})
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda module, argv, **more: found(module, argv, **more)
    )
    return found


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    (tmp_path / "receipts").mkdir()
    return tmp_path / "receipts"


def write(receipts: Path, name: str, **content: Any) -> None:
    (receipts / f"{name}.json").write_text(json.dumps({"version": 1, **content}))


def run(receipts: Path, name: str, **arguments: Any) -> dict[str, Any]:
    module = ansible_modules.load(name, receipts.parent)
    if hasattr(module, "os"):
        module.os = SimpleNamespace(**{**vars(module.os), "path": _PathWithSystemd(module.os.path)})
    return ansible_modules.run(module, **arguments)


class _PathWithSystemd:
    """os.path on a machine that systemd runs on, whatever runs this one."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def isdir(self, path: str) -> bool:
        return path == "/run/systemd/system" or bool(self._real.isdir(path))


def effects(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["name"], each["action"]) for each in answer["effects"]]


OFF, ON = (
    {"UnitFileState": "", "ActiveState": "inactive"},
    {"UnitFileState": "enabled", "ActiveState": "active"},
)


def test_the_first_state_is_written_once(receipts: Path, systemd: Systemd, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "empty").mkdir(mode=0o750)
    paths = [str(tmp_path / name) for name in ("full", "empty", "none")]
    systemd.states = {"a.service": ("enabled", "active")}
    told = run(receipts, "first_state", check=True, paths=paths, units=["a.service"])
    assert told["changed"]
    assert list(receipts.iterdir()) == []
    run(receipts, "first_state", paths=paths, units=["a.service", "b.service"])
    content = json.loads((receipts / "first_state.json").read_text())
    assert [content["paths"][path]["state"] for path in paths] == ["present", "empty", "absent"]
    assert content["paths"][paths[1]]["mode"] == "0750"
    assert content["units"] == {"a.service": ON, "b.service": OFF}
    (tmp_path / "none").mkdir()
    assert not run(receipts, "first_state", paths=paths, units=["a.service"])["changed"]


def test_services_stop_in_order_but_not_those_that_ran_before(receipts: Path, systemd: Systemd) -> None:
    write(receipts, "units", units=["containerd.service", "kubelet.service", "pycri.service", "sshd.service"])
    write(receipts, "first_state", paths={}, units={"sshd.service": ON, "containerd.service": OFF})
    systemd.states = dict.fromkeys(
        ("containerd.service", "kubelet.service", "pycri.service", "sshd.service"), ("enabled", "active")
    )
    last = ["pycri.service", "containerd.service"]
    told = run(receipts, "stop_services", check=True, last=last)
    assert systemd.told == []
    done = run(receipts, "stop_services", last=last)
    assert effects(done) == effects(told)
    stopped = [words for words in systemd.told if words.startswith("stop")]
    assert stopped == ["stop kubelet.service", "stop pycri.service", "stop containerd.service"]
    assert "disable --quiet containerd.service" in systemd.told
    assert not any("sshd" in words for words in systemd.told)


def test_services_that_ran_before_run_again(receipts: Path, systemd: Systemd) -> None:
    write(receipts, "units", units=["containerd.service", "pycri.service"])
    write(receipts, "first_state", paths={}, units={"containerd.service": ON, "pycri.service": OFF})
    done = run(receipts, "restore_services")
    assert effects(done) == [("unit", "containerd.service", "restart")]
    assert systemd.told[0] == "daemon-reload"
    assert systemd.told[-2:] == ["enable containerd.service", "restart containerd.service"]


def test_data_goes_where_nothing_was_and_stays_where_something_was(receipts: Path, tmp_path: Path) -> None:
    for name in ("absent", "empty", "present", "shared"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep/file").touch()
    states = {
        "absent": "absent",
        "empty": "empty",
        "present": "present",
        "shared": "absent",
        "gone": "absent",
    }
    paths = {str(tmp_path / name): {"state": was, "mode": "0755"} for name, was in states.items()}
    write(receipts, "first_state", paths=paths, units={})
    told = run(receipts, "remove_data", check=True)
    assert (tmp_path / "absent/deep").exists()
    assert told["changed"]
    done = run(receipts, "remove_data", when_empty=[str(tmp_path / "shared")])
    assert not (tmp_path / "absent").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert (tmp_path / "present/deep/file").exists()
    assert (tmp_path / "shared/deep/file").exists()
    assert ("remaining", str(tmp_path / "shared"), "kept") in effects(done)


def dpkg(needed_by_round: list[str], installed: str) -> Any:
    def run_command(argv: list[str], **_: Any) -> tuple[int, str, str]:
        if argv[0] == "dpkg-query":
            return 0, installed, ""
        complaint = needed_by_round.pop(0) if needed_by_round else ""
        return (1 if complaint else 0), "", complaint

    return run_command


def test_a_package_that_something_needs_by_now_stays(tmp_path: Path) -> None:
    module = ansible_modules.load("remove_packages", tmp_path)
    rounds = [
        "dpkg: dependency problems prevent removal of runc:\n docker.io depends on runc (>= 1.0).\n",
        "dpkg: dependency problems prevent removal of libseccomp2:amd64:\n runc depends on libseccomp2.\n",
    ]
    installed = "installed runc\ninstalled libseccomp2\ninstalled socat\nnot-installed isal\n"
    packages = module.Dpkg(SimpleNamespace(params={"lock_timeout": 1}, run_command=dpkg(rounds, installed)))
    going, kept = module.removable(packages, ["runc", "libseccomp2", "socat", "isal"])
    assert (going, kept) == (["socat"], ["runc", "libseccomp2"])


def test_without_a_receipt_no_package_is_touched(receipts: Path) -> None:
    assert run(receipts, "remove_packages") == {
        "changed": False,
        "effects": [],
        "invocation": {"module_args": {"lock_timeout": 300}},
    }


def test_what_was_upgraded_is_told(receipts: Path) -> None:
    write(receipts, "packages", installed=[], upgraded={"libc6": "2.36-9"}, removed={"exim4": "4.96"})
    told = run(receipts, "remove_packages", check=True)
    names = [name for _, name, _ in effects(told)]
    assert names[:2] == ["package libc6", "package exim4"]
    assert not told["changed"]


def test_a_sysctl_that_somebody_changed_since_is_left(receipts: Path) -> None:
    now = Path("/proc/sys/kernel/pid_max").read_text().strip()
    write(receipts, "kernel", sysctls={"kernel.pid_max": ["1", str(int(now) + 1)]}, modules=[], swaps=[])
    done = run(receipts, "restore_kernel")
    assert effects(done) == [("remaining", "sysctl kernel.pid_max", "changed")]
    assert Path("/proc/sys/kernel/pid_max").read_text().strip() == now


def test_a_sysctl_goes_back_to_what_it_was(receipts: Path) -> None:
    now = Path("/proc/sys/kernel/pid_max").read_text().strip()
    write(
        receipts, "kernel", sysctls={"kernel.pid_max": ["7", now]}, modules=["br_netfilter"], swaps=["/dev/x"]
    )
    told = run(receipts, "restore_kernel", check=True)
    assert effects(told) == [
        ("kernel", "sysctl kernel.pid_max", "restore"),
        ("kernel", "module br_netfilter", "unload"),
        ("kernel", "swap /dev/x", "on"),
    ]
    assert Path("/proc/sys/kernel/pid_max").read_text().strip() == now


SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-ABC - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SEP-ABC
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m comment --comment "-j KUBE-FIREWALL is not here" -j ACCEPT
COMMIT
"""


def test_only_our_chains_and_what_leads_to_them_goes(tmp_path: Path) -> None:
    ansible_modules.load("remove_containers", tmp_path)
    import sys

    packet_filter = sys.modules["ansible.module_utils.nodestrap_packet_filter"]
    calls: list[str] = []

    def run_command(argv: list[str]) -> tuple[int, str, str]:
        if argv[0].endswith("-save"):
            return 0, SAVED, ""
        calls.append(" ".join(argv[2:]))
        return 0, "", ""

    module = SimpleNamespace(
        check_mode=False,
        run_command=run_command,
        get_bin_path=lambda name: name if name == "iptables" else None,
    )
    packet_filter.remove_chains(module, ["KUBE-", "CNI-"])
    assert calls == [
        "-t nat -D PREROUTING -m comment --comment kubernetes service portals -j KUBE-SERVICES",
        "-t nat -F KUBE-SERVICES",
        "-t nat -F KUBE-SEP-ABC",
        "-t nat -X KUBE-SERVICES",
        "-t nat -X KUBE-SEP-ABC",
    ]
    # Never a flush without a chain, and no policy: whoever comes in through a rule of their own still does.
    assert all(re.fullmatch(r"-t \w+ -[DFX] \S+.*", call) for call in calls)
    module.check_mode = True
    calls.clear()
    told = packet_filter.remove_chains(module, ["KUBE-"])
    assert [each["name"] for each in told] == ["iptables nat KUBE-SERVICES", "iptables nat KUBE-SEP-ABC"]
    assert calls == []


def test_a_table_without_a_rule_is_told(tmp_path: Path) -> None:
    ansible_modules.load("remove_containers", tmp_path)
    import sys

    packet_filter = sys.modules["ansible.module_utils.nodestrap_packet_filter"]
    assert packet_filter.empty_tables(SAVED + "*mangle\n:INPUT ACCEPT [0:0]\nCOMMIT\n") == ["mangle"]
