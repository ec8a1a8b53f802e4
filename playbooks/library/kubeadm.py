#!/usr/bin/python
"""Ansible module: this host is a node of the cluster, by ``kubeadm init`` or ``kubeadm join``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: This host is a node of its cluster
description:
  - Runs C(kubeadm init) or C(kubeadm join) unless the API server answers and knows the node already. Files
    alone prove nothing, so an attempt that was cut short is taken up again, and a cluster that is only slow
    to come back after a reboot is waited for.
  - A kubeadm that an earlier run left behind, its controller being gone, is waited for, not run into.
  - The configuration, which carries secrets, lies in a file for root alone in C(/run) while kubeadm runs.
  - A host that belongs to some other cluster, or whose control plane is there but does not answer, is left as
    it is and the task fails.
options:
  verb:
    description: What to run.
    type: str
    choices: [init, join]
    required: true
  config:
    description: kubeadm's configuration, as text.
    type: str
    required: true
  arguments:
    description: Further arguments for kubeadm. None may be secret.
    type: list
    elements: str
    default: []
  node:
    description: The node's name.
    type: str
    required: true
  ca_cert_hashes:
    description:
      - Of the cluster to join, as kubeadm writes them, C(sha256:...). A host that is a node already must be
        of this cluster; without any, its name is all that is compared.
    type: list
    elements: str
    default: []
  control_plane:
    description: Whether the host becomes a control plane; always, for C(init).
    type: bool
    default: false
  patience:
    description: For how many seconds a control plane that was there before may take to answer.
    type: int
    default: 90
author: nodestrap
"""

EXAMPLES = r"""
- name: First control plane
  kubeadm:
    verb: init
    config: "{{ kubeadm_init_config }}"
    node: cp-1
"""

RETURN = r"""
output:
  description: What kubeadm said, where it ran.
  type: str
  returned: changed
effects:
  description: The node that it is made, and the directories that kubeadm fills.
  type: list
  elements: dict
  returned: always
"""

import base64
import fcntl
import hashlib
import os
import re
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nodestrap_receipt import effect

KUBERNETES = "/etc/kubernetes"
KUBELET_CONF = KUBERNETES + "/kubelet.conf"
ADMIN_CONF = KUBERNETES + "/admin.conf"
# Says that the attempt under way is nodestrap's; removed when it has succeeded.
MARKER = "/var/lib/nodestrap/kubeadm-started"
LOCK = "/run/nodestrap-kubeadm.lock"
RUN = "/run"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What an earlier attempt of the same init leaves, and the next one may use: its own files, and its own
# programs on their ports. kubeadm keeps certificates and etcd's data that are there.
LEFT_BY_INIT = [
    "DirAvailable--var-lib-etcd",
    *(f"FileAvailable--etc-kubernetes-manifests-{name}.yaml"
      for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")),
    *(f"Port-{port}" for port in (6443, 10250, 10251, 10252, 10257, 10259, 2379, 2380)),
]  # fmt: skip


class Node:
    """This host, as a node."""

    def __init__(self, module):
        self.module = module
        self.name = module.params["node"]
        self.verb = module.params["verb"]
        self.control_plane = self.verb == "init" or module.params["control_plane"]
        self.said = "it was not asked"

    def known(self):
        """Whether an API server answers and has this node."""
        for kubeconfig in (KUBELET_CONF, ADMIN_CONF):
            if os.path.exists(kubeconfig):
                asked = ["kubectl", "--kubeconfig", kubeconfig, "--request-timeout=10s", "get", "node"]
                code, out, err = self.module.run_command([*asked, self.name, "--output=name"])
                if code == 0 and out.strip() == "node/" + self.name:
                    return True
                self.said = (err or out).strip()
        return False

    def refuse_another_cluster(self):
        """Fail where the host trusts another cluster's CA: a node of the same name proves nothing."""
        wanted = self.module.params["ca_cert_hashes"]
        found = ca_hash(KUBELET_CONF) if wanted else None
        if found is not None and found not in wanted:
            self.module.fail_json(
                msg=f"this host is a node of another cluster: its CA is {found}, not {' or '.join(wanted)}. "
                "Take it out of that one with kubeadm reset, or leave it out of this one."
            )

    def comes_back(self):
        """Whether it is known after some patience: the kubelet may just have been started."""
        self.module.run_command(["systemctl", "start", "kubelet.service"])
        deadline = time.monotonic() + self.module.params["patience"]
        while time.monotonic() < deadline:
            if self.known():
                return True
            time.sleep(2)
        return False

    def refuse_what_is_not_ours(self):
        """Fail where files of a cluster are there, and no attempt of ours that made them."""
        if os.path.exists(KUBELET_CONF) and not os.path.exists(MARKER):
            self.module.fail_json(
                msg=f"{KUBELET_CONF} exists, but no API server that it leads to knows the node {self.name}: "
                f"{self.said}. The host belongs to another cluster, or its cluster is down. Bring that back, "
                "or take the host out of it with kubeadm reset."
            )

    def clear_half_a_join(self):
        """Take away what an attempt of ours left. It holds no data: a worker none, a control plane a copy."""
        if self.control_plane:
            self.kubeadm(["reset", "--force"])
            return
        self.module.run_command(["systemctl", "stop", "kubelet.service"])
        for path in (KUBELET_CONF, KUBERNETES + "/bootstrap-kubelet.conf", KUBERNETES + "/pki/ca.crt"):
            if os.path.exists(path):
                os.unlink(path)

    def enter(self):
        """Run kubeadm; returns its output."""
        arguments = list(self.module.params["arguments"])
        if os.path.exists(MARKER):
            if self.verb == "init":
                arguments.append("--ignore-preflight-errors=" + ",".join(LEFT_BY_INIT))
            else:
                self.clear_half_a_join()
        os.makedirs(os.path.dirname(MARKER), mode=0o700, exist_ok=True)
        with open(MARKER, "w") as handle:
            handle.write(self.verb + "\n")
        self.module.run_command(["systemctl", "enable", "kubelet.service"])
        output = self.with_config(arguments)
        os.unlink(MARKER)
        return output

    def with_config(self, arguments):
        handle, path = tempfile.mkstemp(prefix="nodestrap-kubeadm-", suffix=".yaml", dir=RUN)  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(self.module.params["config"])
            return self.kubeadm([self.verb, "--config", path, *arguments])
        finally:
            os.unlink(path)

    def kubeadm(self, arguments):
        code, out, err = self.module.run_command(["kubeadm", *arguments])
        if code != 0:
            self.module.fail_json(msg=complaint(arguments[0], out, err), output=out[-4000:])
        return out


def ca_hash(kubeconfig):
    """The hash of the CA's key, as in kubeadm's discovery; None where the file has no CA in it."""
    with open(kubeconfig) as handle:
        found = re.search(r"certificate-authority-data: *(\S+)", handle.read())
    if not found:
        return None
    pem = base64.b64decode(found.group(1)).decode()
    first = pem.split("-----BEGIN CERTIFICATE-----")[1].split("-----END CERTIFICATE-----")[0]
    return "sha256:" + hashlib.sha256(public_key(base64.b64decode(first))).hexdigest()


def public_key(certificate):
    """SubjectPublicKeyInfo of an X.509 certificate, both as DER (RFC 5280, section 4.1)."""
    body = certificate[slice(*content(certificate, content(certificate, 0)[0]))]  # of TBSCertificate
    starts, at = [], 0
    while at < len(body):
        starts.append(at)
        at = content(body, at)[1]
    # Before it lie version (tag 0, left out in version 1), serial, algorithm, issuer, validity, subject.
    index = 6 if body[0] == 0xA0 else 5
    return body[starts[index] : content(body, starts[index])[1]]


def content(der, at):
    """Where the content of the DER value at an offset begins and ends."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    return begin, begin + length


def complaint(verb, out, err):
    """What went wrong, from kubeadm's many lines: the failed checks, or the end."""
    checks = re.findall(r"^\s*\[ERROR (.+)$", err + "\n" + out, re.MULTILINE)
    if checks:
        return "kubeadm {} refused this host: {}".format(verb, "; ".join("[" + check for check in checks))
    last = [line for line in (out + "\n" + err).splitlines() if line.strip()][-12:]
    return "kubeadm {} failed. It ended with:\n{}".format(verb, "\n".join(last))


def settle(module, node):
    """Leave with the result, having brought the host there; in check mode, with what would be done."""
    joined = os.path.exists(KUBELET_CONF)
    unfinished = os.path.exists(MARKER)
    if joined:
        node.refuse_another_cluster()
    if joined and node.known():
        if unfinished and node.verb == "join" and not node.control_plane:
            unfinished = False  # cut short after a worker's last step that counts
            if not module.check_mode:
                os.unlink(MARKER)
        if not unfinished:
            module.exit_json(changed=False, effects=[])
    diff = {"before": "", "after": f"kubeadm {node.verb} {node.name}\n"}
    trees = [KUBERNETES, "/var/lib/kubelet", *(["/var/lib/etcd"] if node.control_plane else [])]
    effects = [effect("node", node.name, node.verb), *(effect("tree", path, "change") for path in trees)]
    if module.check_mode:
        module.exit_json(changed=True, effects=effects, diff=diff)
    if joined and not unfinished and node.comes_back():
        module.exit_json(changed=False, effects=[])
    node.refuse_what_is_not_ours()
    module.exit_json(changed=True, output=node.enter()[-8000:], effects=effects, diff=diff)


def main():
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["init", "join"], "required": True},
            "config": {"type": "str", "required": True, "no_log": True},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "node": {"type": "str", "required": True},
            "ca_cert_hashes": {"type": "list", "elements": "str", "default": []},
            "control_plane": {"type": "bool", "default": False},
            "patience": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settle(module, Node(module))


if __name__ == "__main__":
    main()
