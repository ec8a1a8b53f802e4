#!/usr/bin/python
"""Ansible module: the images of some archives are in containerd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_images
short_description: Images from archives are in containerd
description:
  - Imports an archive where an image that it names is missing, or where the receipt says that another archive
    brought it. Only such archives are sent from the controller, and their checksums are compared here.
  - They go into the namespace that pycri uses, so they show in the CRI at once.
options:
  archives:
    description: Each with O(archives[].path) on the controller, O(archives[].sha256) and O(archives[].names).
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: The file on the controller., type: path, required: true}
      sha256: {description: Its checksum., type: str, required: true}
      names: {description: The images in it., type: list, elements: str, required: true}
  namespace:
    description: containerd's.
    type: str
    default: k8s.io
  socket:
    description: containerd's.
    type: path
    default: /run/containerd/containerd.sock
  source:
    description: Set by the action plugin, the path of the archive that was sent.
    type: path
  archive:
    description: Set by the action plugin, where it is on the host.
    type: path
author: nodestrap
"""

EXAMPLES = r"""
- name: Images
  container_images:
    archives:
      - {path: images/pause.tar, sha256: "{{ pause_sha256 }}", names: ["registry.k8s.io/pause:3.10"]}
"""

RETURN = r"""
imported:
  description: Images that were, or in check mode would be, imported.
  type: list
  elements: str
  returned: always
needs_archives:
  description: Archives that the action plugin has to send.
  type: list
  elements: str
  returned: always
effects:
  description: The same by name, and the receipt when it is new.
  type: list
  elements: dict
  returned: always
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import (
    effect,
    read_receipt,
    receipt_path,
    sha256_of,
    write_receipt,
)

RECEIPT = "container_images"


class Images:
    """Those of one namespace of containerd."""

    def __init__(self, module):
        self.module = module
        path = shutil.which("ctr", path="/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin")
        self.ctr = [path, "--address", module.params["socket"], "--namespace", module.params["namespace"]]
        self.receipt = read_receipt(RECEIPT).get("images", {})

    def missing(self):
        """Archives whose images are not all there, as they are in the archive."""
        present = self.present()
        return [
            archive
            for archive in self.module.params["archives"]
            if any(
                name not in present or self.receipt.get(name, archive["sha256"]) != archive["sha256"]
                for name in archive["names"]
            )
        ]

    def present(self):
        if self.ctr[0] is None:
            if self.module.check_mode:
                return set()  # a host that is still bare
            self.module.fail_json(msg="there is no ctr on this host, which comes with containerd")
        code, out, err = self.module.run_command([*self.ctr, "images", "list", "--quiet"])
        if code != 0:
            if self.module.check_mode:
                return set()
            self.module.fail_json(msg=f"containerd does not say what images it has: {err.strip()}")
        return set(out.split())

    def load(self, archive, path):
        actual = sha256_of(path)
        if actual != archive["sha256"]:
            self.module.fail_json(
                msg=f"{archive['path']} arrived with sha256 {actual}, not {archive['sha256']}"
            )
        code, out, err = self.module.run_command([*self.ctr, "images", "import", path])
        if code != 0:
            self.module.fail_json(msg=f"{archive['path']} cannot be imported: {(err or out).strip()[-1000:]}")
        absent = sorted(set(archive["names"]) - self.present())
        if absent:
            self.module.fail_json(
                msg=f"{archive['path']} was imported, but {', '.join(absent)} was not in it"
            )
        self.receipt.update(dict.fromkeys(archive["names"], archive["sha256"]))
        write_receipt(RECEIPT, {"version": 1, "images": self.receipt})


def main():
    archive_options = {
        "path": {"type": "path", "required": True},
        "sha256": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "archives": {"type": "list", "elements": "dict", "required": True, "options": archive_options},
            "namespace": {"type": "str", "default": "k8s.io"},
            "socket": {"type": "path", "default": "/run/containerd/containerd.sock"},
            "source": {"type": "path"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    images = Images(module)
    if module.params["archive"]:
        (archive,) = [each for each in module.params["archives"] if each["path"] == module.params["source"]]
        images.load(archive, module.params["archive"])
        module.exit_json(changed=True, imported=archive["names"], needs_archives=[])
    missing = images.missing()
    names = [name for archive in missing for name in archive["names"]]
    diff = {"before": "", "after": "".join(f"{name}\n" for name in names)}
    needed = [] if module.check_mode else [archive["path"] for archive in missing]
    effects = [effect("image", name, "import") for name in names]
    if names and not os.path.exists(receipt_path(RECEIPT)):
        effects.append(effect("file", receipt_path(RECEIPT), "create"))
    module.exit_json(changed=bool(missing), imported=names, needs_archives=needed, effects=effects, diff=diff)


if __name__ == "__main__":
    main()
