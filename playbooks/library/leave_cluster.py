#!/usr/bin/python
"""Ansible module: this host is a member of no cluster any more, by ``kubeadm reset``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: leave_cluster
short_description: This host is a member of no cluster
description:
  - Runs C(kubeadm reset) where an init or a join, finished or not, has left its files. On a control plane it
    takes the host's etcd member out of the cluster first; the node itself is deleted by whoever asks the API.
  - A host without kubeadm, or one that kubeadm fails on, is reported; what it left goes with the data.
options: {}
author: nodestrap
"""

EXAMPLES = r"""
- name: This host is a member of no cluster
  leave_cluster: {}
"""

RETURN = r"""
effects:
  description: What was, or in check mode would be, done; of kind V(remaining), what stays and why.
  type: list
  elements: dict
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect

SIGNS = ("/etc/kubernetes/kubelet.conf", "/etc/kubernetes/admin.conf", "/var/lib/kubelet/config.yaml")
MARKER = "/var/lib/nodestrap/kubeadm-started"
SOCKET = "unix:///run/pycri/pycri.sock"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.run_command_environ_update = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
    signs = [path for path in (*SIGNS, MARKER) if os.path.exists(path)]
    effects = [effect("node", "this host", "leave")] if signs else []
    if signs and not module.check_mode:
        kubeadm = module.get_bin_path("kubeadm", opt_dirs=PATH.split(":"))
        code, out, err = (
            module.run_command([kubeadm, "reset", "--force", "--cri-socket", SOCKET])
            if kubeadm
            else (1, "", "there is no kubeadm on this host")
        )
        if code != 0:
            reason = (err or out).strip().splitlines()[-1:] or ["no reason given"]
            effects.append(effect("remaining", "kubeadm reset", "failed", reason[0]))
        if os.path.exists(MARKER):
            os.unlink(MARKER)
    diff = {"before": "".join(path + "\n" for path in signs), "after": ""}
    module.exit_json(changed=bool(signs), effects=effects, diff=diff)


if __name__ == "__main__":
    main()
