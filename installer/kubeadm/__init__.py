"""kubeadm's configuration files, for every Kubernetes version that nodestrap installs.

Nothing in here runs anything: settings go in, text comes out. ``render`` is the way in; ``version`` knows
what differs between versions, ``api_types`` what fields each has, ``overrides`` merges what the user adds.
"""
