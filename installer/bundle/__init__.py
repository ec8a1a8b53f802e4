"""One archive of everything that a cluster needs, made where there is a network and used where there is none.

A bundle is a tar file. ``manifest.json`` lists the sha256 of every other file and is what a signature signs
(``manifest.json.sig``); the rest is an artifact directory as source ``directory`` reads it, with ``wheels/``
for pycri and ``packages/`` for the hosts' distributions.
"""
