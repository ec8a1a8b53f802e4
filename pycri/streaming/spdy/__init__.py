"""SPDY/3.1 without I/O: bytes in, events and bytes out. ``connection`` is the server's side, ``client`` ours.

As much of draft-mbelshe-httpbis-spdy-00 (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/)
as Kubernetes' clients use. They neither send nor await WINDOW_UPDATE, so nothing is held back for a window:
a slow peer is felt through TCP.
"""
