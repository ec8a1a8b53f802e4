"""What a playbook run reads: a configuration and a host overlay, written into the run's private directory.

Nothing of the user's own Ansible set-up gets in: no ansible.cfg, no ANSIBLE_* variable. The inventory is
the user's own, read again by Ansible; the overlay adds per host what the phases found out.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from installer.cluster.facts import DISTRIBUTIONS
from installer.cluster.spec import ClusterSpec, HostSpec
from installer.content import content_dir

_MAX_FORKS = 50  # each is a process on the controller


def write_config(directory: Path, ssh_config: Path, hosts: Sequence[HostSpec]) -> Path:
    """Write ansible.cfg and return its path. Control sockets go to ``directory``/cm: keep it short (108
    bytes)."""
    playbooks = content_dir("playbooks")
    (directory / "cm").mkdir(mode=0o700, exist_ok=True)
    sections: dict[str, dict[str, Any]] = {
        "defaults": {
            "roles_path": content_dir("roles"),
            "library": playbooks / "library",
            "module_utils": playbooks / "module_utils",
            "action_plugins": playbooks / "action_plugins",
            "filter_plugins": playbooks / "filter_plugins",
            "local_tmp": directory / "tmp",
            "forks": min(len(hosts), _MAX_FORKS),
            "host_key_checking": True,
            "gathering": "smart",  # not where write_facts has put the few that the roles use
            "fact_caching": "jsonfile",
            "fact_caching_connection": directory / "facts",
            "fact_caching_timeout": 0,
            "timeout": 15,
            "retry_files_enabled": False,
            "deprecation_warnings": False,
            "any_errors_fatal": False,
            "internal_poll_interval": 0.001,  # the default's 10 ms per result is felt with many short tasks
            "interpreter_python": "auto_silent",
        },
        "inventory": {"any_unparsed_is_failed": True},
        "connection": {"pipelining": True},  # no temporary file and one ssh less per task
        "ssh_connection": {
            "pipelining": True,
            "ssh_args": f"-F {ssh_config} -o ControlMaster=auto -o ControlPersist=60s",
            "control_path_dir": directory / "cm",
            "retries": 1,
        },
    }
    lines = []
    for section, values in sections.items():
        lines += [
            f"[{section}]",
            *(f"{key} = {str(value).replace('%', '%%')}" for key, value in values.items()),
        ]
    path = directory / "ansible.cfg"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_overlay(
    directory: Path, hosts: Sequence[HostSpec], variables: Mapping[str, Mapping[str, Any]]
) -> Path:
    """Write a second inventory with what is known about the hosts by now, and return its path.

    It has the terminal's passwords, too: the file is 0600, in a private directory that lives in memory where
    there is such a place.
    """
    overlay: dict[str, dict[str, Any]] = {}
    for host in hosts:
        own: dict[str, Any] = dict(variables.get(host.name, {}))
        if host.facts is not None and host.facts.python_path and host.connection.python is None:
            own["ansible_python_interpreter"] = host.facts.python_path  # found already: no discovery per run
        if host.facts is not None and host.facts.uid == 0 and "ansible_become" not in host.variables:
            own["ansible_become"] = host.connection.user not in (
                None,
                "root",
            )  # root needs no sudo, nor has it one
        for name in ("ansible_password", "ansible_become_password"):
            if name in host.variables:
                own[name] = host.variables[name]
        overlay[host.name] = own
    path = directory / "overlay.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"all": {"hosts": overlay}}))
    return path


def write_facts(directory: Path, hosts: Sequence[HostSpec]) -> None:
    """Give Ansible the facts that the roles use, from this run's own probe: gathering them again would be the
    longest task of a run that changes nothing. A system we have no name for is left to Ansible.

    A test holds this list against what roles, playbooks and templates mention.
    """
    cache = directory / "facts"
    cache.mkdir(mode=0o700, exist_ok=True)
    for host in hosts:
        facts = host.facts
        if facts is None or facts.os_id not in DISTRIBUTIONS or facts.python_path is None:
            continue
        distribution, family = DISTRIBUTIONS[facts.os_id]
        known = {
            "_ansible_facts_gathered": True,
            "distribution": distribution,
            "distribution_version": facts.os_version,
            "distribution_major_version": facts.os_major,
            "os_family": family,
            "python": {"executable": facts.python_path},
            "systemd": {"version": facts.systemd_version or 0},
        }
        # ansible-core 2.18's name and form, and 2.19's; where a later one has others, Ansible gathers again.
        (cache / host.name).write_text(json.dumps(known))
        (cache / f"s1_{host.name}").write_text(json.dumps({"__payload__": json.dumps(known)}))


def write_launcher(directory: Path) -> Path:
    """Write the ``ansible-playbook`` that ansible-runner finds first in PATH, and return its directory.

    It starts the real one so that it dies with this process, however that ends: an orphan would go on
    changing hosts whose lock is gone. (setpriv is Linux's; elsewhere there is no such guard.)
    """
    real = Path(sys.executable).parent / "ansible-playbook"
    words = ["exec", str(real) if real.exists() else str(shutil.which("ansible-playbook") or real)]
    if setpriv := shutil.which("setpriv"):
        words[1:1] = [setpriv, "--pdeathsig", "KILL", "--"]
    launcher = directory / "bin" / "ansible-playbook"
    launcher.parent.mkdir(mode=0o700, exist_ok=True)
    launcher.write_text(f'#!/bin/sh\n{" ".join(map(shlex.quote, words))} "$@"\n')
    launcher.chmod(0o700)
    return launcher.parent


def environment(config: Path, launcher: Path, spec: ClusterSpec) -> dict[str, str]:
    """The variables that ansible-runner adds to the environment of the process."""
    values = {
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner turns it off where nobody has said anything
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "PATH": os.pathsep.join([str(launcher), os.environ.get("PATH", os.defpath)]),
    }
    if spec.vault_password_files:
        values["ANSIBLE_VAULT_IDENTITY_LIST"] = ",".join(spec.vault_password_files)
    return values


@contextmanager
def without_ansible_variables() -> Iterator[None]:
    """ansible-runner copies this process's environment: take the user's ANSIBLE_* out of it for a while."""
    kept = ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST")
    taken = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith("ANSIBLE_") and name not in kept
    }
    try:
        yield
    finally:
        os.environ.update(taken)
