"""pycri: a Container Runtime Interface daemon between the kubelet and containerd."""
