"""Exec, attach and port-forward from the client's side: the streaming URL, followed over SPDY."""
