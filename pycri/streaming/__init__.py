"""Exec, attach and port-forward: the HTTP server that the kubelet is sent to, and its protocols."""
