#!/usr/bin/python
"""Ansible module: systemd units are enabled and run, with the unit files that are on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_units
short_description: systemd units are enabled and running, or restarted
description:
  - Asks systemd once about all O(names). Reloads its configuration when a unit file changed since then.
  - Works in check mode on a host that does not have the units yet.
  - When a unit does not start, the failure carries its state and the last lines of its journal.
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
author: nodestrap
"""

EXAMPLES = r"""
- name: Service
  systemd_units:
    names: [containerd.service]
"""

RETURN = r"""
changes:
  description: What was, or in check mode would be, done.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload"


def show(module, names):
    """Properties by unit name."""
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
        if unit["ActiveState"] not in ("active", "reloading"):
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


def main():
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "restart": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names, restart = module.params["names"], module.params["restart"]
    units = show(module, names)
    reload = any(
        unit["NeedDaemonReload"] == "yes" or unit["LoadState"] == "not-found" for unit in units.values()
    )
    masked = [name for name in names if units[name]["LoadState"] == "masked"]
    disabled = [name for name in names if units[name]["UnitFileState"] not in ("enabled", "static", "alias")]
    stopped = [name for name in names if restart or units[name]["ActiveState"] not in ("active", "reloading")]
    verb = "restart" if restart else "start"
    changes = [f"{verb} {name}" for name in stopped] + [f"enable {name}" for name in disabled]
    if masked:
        module.fail_json(
            msg=f"{masked} masked: somebody wants them off. `systemctl unmask` them, or take the host out."
        )
    if not module.check_mode:
        if reload:
            systemctl(module, "daemon-reload", [])
        if disabled:
            systemctl(module, "enable", disabled)
        if stopped:
            module.run_command(
                ["systemctl", "reset-failed", *stopped]
            )  # a start limit reached earlier is history
            systemctl(module, verb, stopped)
    diff = {"before": "", "after": "".join(change + "\n" for change in changes)}
    module.exit_json(changed=bool(changes), changes=changes, diff=diff)


if __name__ == "__main__":
    main()
