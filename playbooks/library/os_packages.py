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
  - Where the role C(os_repository) has put the packages of a bundle, apt is given these and no other source.
  - Package lists are refreshed only when something is missing. It waits for another package manager's lock.
  - Check mode on apt resolves dependencies, too, with lists fetched into a directory of its own.
  - A receipt keeps what came with the packages, for a reset; files that were fetched are not kept.
options:
  names:
    description: Package names. An empty list is allowed and changes nothing.
    type: list
    elements: str
    required: true
  replaces:
    description:
      - Receipts of releases whose place the packages take. What M(install_artifact) unpacked under them goes
        once the packages are there, for two versions of a program on one PATH are worse than none.
    type: list
    elements: str
    default: []
  without:
    description: The same for what has to be gone before, such as a repository.
    type: list
    elements: str
    default: []
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

- name: A package instead of the release
  os_packages:
    names: [containerd]
    replaces: [containerd-release]
"""

RETURN = r"""
paths:
  description: Paths of releases that were, or in check mode would be, removed.
  type: list
  elements: str
  returned: always
versions:
  description: Version of each package; in check mode the one that would be installed, where that is known.
  type: dict
  returned: always
installed:
  description: Packages that were, or in check mode would be, installed.
  type: list
  elements: str
  returned: always
effects:
  description:
    - What happens to each package. With apt, dependencies included; where they could not be resolved, and
      with dnf, the packages that were asked for.
  type: list
  elements: dict
  returned: always
"""

import os
import re
import shutil
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    effect,
    give_up_releases,
    read_receipt,
    receipt_path,
    write_receipt,
)

APT_OPTIONS = ["-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef"]
APT_OPTIONS += ["-o", "Dpkg::Options::=--force-confold", "-o", "APT::Keep-Downloaded-Packages=false"]
LISTS = "/var/lib/apt/lists"
# What a bundle brought (role os_repository): while it is there, no other repository is asked.
BUNDLED = "/var/lib/nodestrap/os-packages/apt.conf"
BUNDLED_RECEIPT = "os-packages"
BUNDLED_LISTS = "/run/nodestrap-os-packages/lists"
FRESH = 86400  # seconds for which check mode trusts the host's own package lists
# "Inst runc (1.1.5 Debian:12 [amd64])", with the installed version in brackets before it where there is one.
STEP = re.compile(r"^(Inst|Remv|Purg) ([^\s:]+)(?::\S+)?(?: \[(\S+)\])?(?: \((\S+))?")


class Apt:
    """Debian, Ubuntu."""

    def __init__(self, module):
        self.module = module
        self.timeout = module.params["lock_timeout"]
        going = BUNDLED_RECEIPT in module.params.get("without", ())  # it is there still, in check mode
        self.bundled = os.path.exists(BUNDLED) and not going
        if self.bundled:
            module.run_command_environ_update["APT_CONFIG"] = BUNDLED
            os.makedirs(BUNDLED_LISTS + "/partial", exist_ok=True)

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

    def install(self, names, note):
        """Install; ``note`` gets the steps before the first of them is taken."""
        self.run(
            ["dpkg", "--configure", "-a"]
        )  # what a killed run left half done; whether it helped, apt says
        trouble = self.run(["apt-get", "update", "-q"])  # not fatal: the lists at hand may suffice
        note(self.resolve(names) or steps_of(names))
        lock = ["-o", f"DPkg::Lock::Timeout={self.timeout}"]
        failure = self.run(["apt-get", "install", *APT_OPTIONS, *lock, *names])
        return failure and "\n".join(part for part in (failure, trouble) if part)

    def foretell(self, names):
        """The steps that an installation would take; those for the names alone where apt cannot say."""
        newest = [entry.stat().st_mtime for entry in os.scandir(LISTS)] if os.path.isdir(LISTS) else []
        files = [name for name in os.listdir(LISTS) if "_Packages" in name] if newest else []
        if files and not self.bundled and time.time() - max(newest) < FRESH:
            return self.resolve(names) or steps_of(names)
        private = tempfile.mkdtemp(prefix="nodestrap-lists-")
        try:
            options = ["-o", f"Dir::State::lists={private}/lists", "-o", f"Dir::Cache={private}/cache"]
            for each in ("lists/partial", "cache/archives/partial"):
                os.makedirs(os.path.join(private, each))
            os.chmod(private, 0o755)  # apt fetches as a user of its own, where it may
            trouble = self.run(["apt-get", "update", "-q", *options])
            if trouble:
                self.module.warn(f"package lists could not be fetched, dependencies are not told: {trouble}")
            return self.resolve(names, options) or steps_of(names)
        finally:
            shutil.rmtree(private)

    def resolve(self, names, options=()):
        """``{package: (step, old version, new version)}`` by apt's own simulation; empty when it fails."""
        quiet = ["-o", "Dir::Log::Planner=/dev/null"]  # a simulation leaves nothing
        argv = ["apt-get", "install", "-s", *APT_OPTIONS, *quiet, *options, *names]
        code, out, _err = self.module.run_command(argv)
        found = (STEP.match(line) for line in out.splitlines()) if code == 0 else ()
        return {match.group(2): (match.group(1), match.group(3), match.group(4)) for match in found if match}

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

    def install(self, names, note):
        note(steps_of(names))
        before = self.everything()
        code, out, err = self.module.run_command(
            ["dnf", "-q", "-y", "--setopt=install_weak_deps=False", "install", *names]
        )
        note(dict.fromkeys(self.everything() - before, ("Inst", None, None)))
        return None if code == 0 else f"dnf install: {(err.strip() or out.strip())[-2000:]}"

    def foretell(self, names):
        return steps_of(names)

    def everything(self):
        """Names of all installed packages."""
        return set(self.module.run_command(["rpm", "-qa", "--qf", "%{NAME}\n"])[1].split())


def steps_of(names):
    """The installation of these packages alone."""
    return dict.fromkeys(names, ("Inst", None, None))


def note_in_receipt(steps):
    """Keep what the host gets and loses, before it does; a run that is killed leaves it told."""
    content = {"version": 1, "installed": [], "upgraded": {}, "removed": {}, **read_receipt("packages")}
    for name, (step, old, _new) in steps.items():
        if step != "Inst":
            content["removed"].setdefault(name, old)
        elif old:
            content["upgraded"].setdefault(name, old)
        elif name not in content["installed"]:
            content["installed"].append(name)
    write_receipt("packages", content)


def effects_of(steps):
    known = os.path.exists(receipt_path("packages"))
    found = [] if known else [effect("file", receipt_path("packages"), "create")]
    for name, (step, old, new) in sorted(steps.items()):
        action = "remove" if step != "Inst" else "upgrade" if old else "install"
        found.append(effect("package", name, action, f"{old} -> {new}" if old and new else new))
    return found


def manager(module):
    """The host's package manager."""
    if os.path.exists("/usr/bin/apt-get"):
        return Apt(module)
    if os.path.exists("/usr/bin/dnf"):
        return Dnf(module)
    return module.fail_json(msg="no apt-get and no dnf in /usr/bin: this distribution is not supported")


def install(module, packages, names):
    """Install them, or fail; returns the effects."""
    effects = []

    def note(steps):
        if not effects:  # of the first word: dnf's second one is for the receipt alone
            effects.extend(effects_of(steps))
        note_in_receipt(steps)

    failure = packages.install(names, note)
    if failure:
        module.fail_json(msg="could not install {}: {}".format(", ".join(names), failure))
    return effects


def converge(module, names):
    """See to it that they are installed; returns their versions, those that were missing, and the effects."""
    packages = manager(module)
    versions = packages.installed(names)
    missing = [name for name in names if name not in versions]
    effects = []
    if missing and module.check_mode:
        steps = packages.foretell(missing)
        effects = effects_of(steps)
        told = {name: new for name, (_step, _old, new) in steps.items() if new and name in missing}
        versions = {**packages.candidates(missing), **told, **versions}
    elif missing:
        effects = install(module, packages, missing)
        versions = packages.installed(names)
    return versions, missing, effects


def main():
    names = {"type": "list", "elements": "str"}
    module = AnsibleModule(
        argument_spec={
            "names": {**names, "required": True},
            "replaces": {**names, "default": []},
            "without": {**names, "default": []},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    paths, effects = give_up_releases(module.params["without"], module.check_mode)
    versions, missing = {}, []
    if module.params["names"]:
        versions, missing, installing = converge(module, module.params["names"])
        effects += installing
    former, given_up = give_up_releases(module.params["replaces"], module.check_mode)
    paths, effects = paths + former, effects + given_up
    module.exit_json(
        changed=bool(missing or paths),
        versions=versions,
        installed=missing,
        paths=paths,
        effects=effects,
        diff={
            "before": "".join(path + "\n" for path in paths),
            "after": "".join(f"package {name}\n" for name in missing),
        },
    )


if __name__ == "__main__":
    main()
