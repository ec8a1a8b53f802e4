#!/usr/bin/python
"""Ansible module: systemd units are enabled and run, with the unit files that are on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_units
short_description: systemd units are enabled and running, or restarted
description:
  - Asks systemd once about all O(names). Reloads its configuration when a unit file changed since then.
  - Works in check mode on a host that does not have the units yet.
  - When a unit does not start, or does not answer, the failure carries its state and the last lines of its
    journal.
options:
  names:
    description: Unit names, in the order in which to start them.
    type: list
    elements: str
    required: true
  restart:
    description: Restart them, whatever their state.
    type: bool
    default: false
  watch:
    description:
      - Files that the units read when they start. A unit that has run since before one of them changed is
        restarted. Handlers do that too, but a run that was killed between change and handler forgets it.
    type: list
    elements: path
    default: []
  answers:
    description:
      - A gRPC method that takes an empty message, and must be answered in the end, such as the Version method
        of the CRI or of containerd. In check mode it is not called when there is no socket yet.
    type: dict
    suboptions:
      socket: {description: Path of the unix socket., type: path, required: true}
      method: {description: "Full method name, V(/package.Service/Method).", type: str, required: true}
      unit: {description: "The one of O(names) that serves it.", type: str, required: true}
      timeout: {description: Seconds to wait., type: int, default: 60}
author: nodestrap
"""

EXAMPLES = r"""
- name: Service
  systemd_units:
    names: [containerd.service]
    watch: [/etc/containerd/config.toml]
    answers:
      socket: /run/containerd/containerd.sock
      method: /containerd.services.version.v1.Version/Version
      unit: containerd.service
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done.
  type: list
  elements: str
  returned: always
effects:
  description:
    - The same by unit and action. A unit that its package has just enabled and started counts as enabled and
      started by us, for so it is, and so check mode tells it.
  type: list
  elements: dict
  returned: always
fields:
  description: The text fields of what was answered to O(answers), by field number.
  type: dict
  returned: when it was asked
"""

import os
import time

from ansible.module_utils import nodestrap_grpc
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    effect,
    first_state,
    read_receipt,
    receipt_path,
    write_receipt,
)

ENABLED = ("enabled", "static", "alias")
PROPERTIES = (
    "LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic"
)
RUNNING = ("active", "reloading")


def show(module, names):
    """Properties by unit name."""
    if not os.path.isdir("/run/systemd/system"):
        if module.check_mode:
            return {name: dict.fromkeys(PROPERTIES.split(","), "") for name in names}
        module.fail_json(msg="systemd is not PID 1 on this host: services cannot be run")
    code, out, err = module.run_command(["systemctl", "show", "--property", PROPERTIES, "--", *names])
    if code != 0:
        module.fail_json(msg=f"systemctl show failed: {(err or out).strip()}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    return dict(zip(names, blocks))


def systemctl(module, verb, names):
    code, out, err = module.run_command(["systemctl", verb, *names])
    if code == 0:
        return
    states = show(module, names) if names else {}
    reports = []
    for name, unit in states.items():
        if unit["ActiveState"] not in RUNNING:
            reports.append(
                "{} is {} ({}), result {}".format(name, unit["ActiveState"], unit["SubState"], unit["Result"])
            )
            reports.append(journal(module, name))
    module.fail_json(
        msg="systemctl {} {}: {}\n{}".format(verb, " ".join(names), (err or out).strip(), "\n".join(reports))
    )


def journal(module, name):
    """The unit's last lines, or why there are none."""
    query = [
        "journalctl",
        "--no-pager",
        "--quiet",
        "--boot",
        "--output",
        "short-iso",
        "--lines",
        "20",
        "--unit",
        name,
    ]
    code, out, err = module.run_command(query)
    return (
        out.strip()
        if code == 0 and out.strip()
        else "no journal of {}: {}".format(name, err.strip() or "it is empty")
    )


def outdated(unit, paths):
    """Whether the unit runs since before one of the files last changed."""
    if unit["ActiveState"] not in RUNNING:
        return False
    running = time.monotonic() - int(unit.get("ExecMainStartTimestampMonotonic", "0")) / 1e6
    changed = [time.time() - os.lstat(path).st_ctime for path in paths if os.path.lexists(path)]
    return bool(changed) and min(changed) < running


def effects_of(names, units, restart):
    """What is done to each unit, seen from before this run: the first time, from before nodestrap came."""
    managed, first = read_receipt("units").get("units", []), first_state().get("units", {})
    found = []
    for name in names:
        before = units[name] if name in managed else first.get(name, units[name])
        if before["UnitFileState"] not in ENABLED:
            found.append(effect("unit", name, "enable"))
        if before["ActiveState"] not in RUNNING:
            found.append(effect("unit", name, "start"))
        elif restart:
            found.append(effect("unit", name, "restart"))
    if not os.path.exists(receipt_path("units")):
        found.append(effect("file", receipt_path("units"), "create"))
    return found


def note_managed(names):
    """From now on a unit's state is what we made of it."""
    managed = read_receipt("units").get("units", [])
    if not set(names) <= set(managed):
        write_receipt("units", {"version": 1, "units": sorted({*managed, *names})})


def converge(module, units, verb, stopped, disabled):
    """Reload what systemd has read; enable; start or restart."""
    # NeedDaemonReload does not tell that a new unit file hides the one that was read: reload at any change
    if stopped or disabled or any(unit["NeedDaemonReload"] == "yes" for unit in units.values()):
        systemctl(module, "daemon-reload", [])
    if disabled:
        systemctl(module, "enable", disabled)
    if stopped:
        module.run_command(
            ["systemctl", "reset-failed", *stopped]
        )  # a start limit reached earlier is history
        systemctl(module, verb, stopped)


def answerable(module, asked):
    """Whether it can be asked: not what check mode has not installed."""
    return not module.check_mode or os.path.exists(asked["socket"])


def main():
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "restart": {"type": "bool", "default": False},
            "watch": {"type": "list", "elements": "path", "default": []},
            "answers": {
                "type": "dict",
                "options": {
                    "socket": {"type": "path", "required": True},
                    "method": {"type": "str", "required": True},
                    "unit": {"type": "str", "required": True},
                    "timeout": {"type": "int", "default": 60},
                },
            },
        },
        supports_check_mode=True,
    )
    names = module.params["names"]
    units = show(module, names)
    restart = module.params["restart"] or any(
        outdated(unit, module.params["watch"]) for unit in units.values()
    )
    masked = [name for name in names if units[name]["LoadState"] == "masked"]
    if masked:
        module.fail_json(
            msg=f"masked, so somebody wants them off: {', '.join(masked)}. Unmask them or leave the host out."
        )
    disabled = [name for name in names if units[name]["UnitFileState"] not in ENABLED]
    stopped = [name for name in names if restart or units[name]["ActiveState"] not in RUNNING]
    verb = "restart" if restart else "start"
    changes = [f"{verb} {name}" for name in stopped] + [f"enable {name}" for name in disabled]
    effects = effects_of(names, units, restart)
    if not module.check_mode:
        converge(module, units, verb, stopped, disabled)
        note_managed(names)
    asked = module.params["answers"]
    fields = nodestrap_grpc.wait(module, asked) if asked and answerable(module, asked) else {}
    diff = {"before": "", "after": "".join(change + "\n" for change in changes)}
    module.exit_json(
        changed=bool(changes) or any(each["kind"] == "unit" for each in effects),
        changes=changes,
        effects=effects,
        fields=fields,
        diff=diff,
    )


if __name__ == "__main__":
    main()
