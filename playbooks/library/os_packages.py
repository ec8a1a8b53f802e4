#!/usr/bin/python
"""Ansible module: distribution packages are installed, in one transaction, and their versions reported."""

from __future__ import annotations

DOCUMENTATION = r"""
module: os_packages
short_description: Distribution packages are installed
description:
  - Installs what is missing from O(names) in one transaction, with apt or dnf, and reports the versions.
  - Unlike the general package modules it needs nothing on the host but the package manager itself, and works
    in check mode on a bare host whose package lists are empty. When nothing is missing it asks the package
    database alone, which takes milliseconds.
  - Package lists are refreshed only when something is missing. It waits for another package manager's lock.
options:
  names:
    description: Package names. An empty list is allowed and changes nothing.
    type: list
    elements: str
    required: true
  lock_timeout:
    description: How many seconds to wait for another package manager.
    type: int
    default: 300
author: nodestrap
"""

EXAMPLES = r"""
- name: Packages
  os_packages:
    names: [socat, conntrack]
"""

RETURN = r"""
versions:
  description: Version of each package; in check mode the one that would be installed, where that is known.
  type: dict
  returned: always
installed:
  description: Packages that were, or in check mode would be, installed.
  type: list
  elements: str
  returned: always
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

APT_OPTIONS = ["-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef"]
APT_OPTIONS += ["-o", "Dpkg::Options::=--force-confold"]


class Apt:
    """Debian, Ubuntu."""

    def __init__(self, module):
        self.module = module
        self.timeout = module.params["lock_timeout"]

    def installed(self, names):
        query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n", *names]
        lines = [line.split() for line in self.module.run_command(query)[1].splitlines()]
        return {line[1]: line[2] for line in lines if len(line) == 3 and line[0] == "installed"}

    def candidates(self, names):
        found, name = {}, None
        for line in self.module.run_command(["apt-cache", "policy", *names])[1].splitlines():
            if line and not line.startswith(" "):
                name = line.rstrip(":")
            elif line.startswith("  Candidate: ") and "(none)" not in line:
                found[name] = line.split(": ", 1)[1]
        return found

    def install(self, names):
        self.run(
            ["dpkg", "--configure", "-a"]
        )  # what a killed run left half done; whether it helped, apt says
        trouble = self.run(["apt-get", "update", "-q"])  # not fatal: the lists at hand may suffice
        lock = ["-o", f"DPkg::Lock::Timeout={self.timeout}"]
        failure = self.run(["apt-get", "install", *APT_OPTIONS, *lock, *names])
        return failure and "\n".join(part for part in (failure, trouble) if part)

    def run(self, argv):
        """Return None, or what apt complained about. Waits for the lock, which `update` itself does not."""
        deadline = time.monotonic() + self.timeout
        while True:
            code, out, err = self.module.run_command(
                argv, environ_update={"DEBIAN_FRONTEND": "noninteractive"}
            )
            if code == 0:
                return None
            if "Could not get lock" not in err or time.monotonic() > deadline:
                return "{}: {}".format(" ".join(argv[:2]), (err.strip() or out.strip())[-2000:])
            time.sleep(2)


class Dnf:
    """Fedora, RHEL and its rebuilds."""

    def __init__(self, module):
        self.module = module

    def installed(self, names):
        found = {}
        for name in names:
            query = ["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\n", "--whatprovides", name]
            code, out, _err = self.module.run_command(query)
            if code == 0:
                found[name] = out.splitlines()[0]
        return found

    def candidates(self, names):
        query = [
            "dnf",
            "-q",
            "-C",
            "repoquery",
            "--latest-limit=1",
            "--qf",
            "%{name} %{version}-%{release}\n",
            *names,
        ]
        return dict(
            line.split() for line in self.module.run_command(query)[1].splitlines() if line.count(" ") == 1
        )

    def install(self, names):
        code, out, err = self.module.run_command(
            ["dnf", "-q", "-y", "--setopt=install_weak_deps=False", "install", *names]
        )
        return None if code == 0 else f"dnf install: {(err.strip() or out.strip())[-2000:]}"


def manager(module):
    """The host's package manager."""
    if os.path.exists("/usr/bin/apt-get"):
        return Apt(module)
    if os.path.exists("/usr/bin/dnf"):
        return Dnf(module)
    return module.fail_json(msg="no apt-get and no dnf in /usr/bin: this distribution is not supported")


def main():
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    names = module.params["names"]
    if not names:
        module.exit_json(changed=False, versions={}, installed=[])
    packages = manager(module)
    versions = packages.installed(names)
    missing = [name for name in names if name not in versions]
    if missing and module.check_mode:
        versions = {**packages.candidates(missing), **versions}
    elif missing:
        failure = packages.install(missing)
        if failure:
            module.fail_json(msg="could not install {}: {}".format(", ".join(missing), failure))
        versions = packages.installed(names)
    diff = {"before": "", "after": "".join(f"package {name}\n" for name in missing)}
    module.exit_json(changed=bool(missing), versions=versions, installed=missing, diff=diff)


if __name__ == "__main__":
    main()
