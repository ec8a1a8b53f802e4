"""A client of the CRI's streaming endpoints, as the kubelet is one: HTTP upgrade, then SPDY/3.1.

It reuses pycri's frames and header compression and nothing of its server. That the framing is right, and not
merely agreed between the two, is shown against containerd's Go implementation.
"""
