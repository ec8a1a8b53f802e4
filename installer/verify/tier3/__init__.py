"""T3: the cluster, as its users meet it. Checks run from a control plane and use a pod on every node."""
