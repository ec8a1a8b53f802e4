"""The pod network ``routed``: what one node does for it, as a process of its own.

``agent`` follows the cluster's nodes through ``api`` and turns them, by way of ``plan``, into the CNI
configuration of this node and the routes to the others (``system``). It has nothing to do with the CRI; it is
here because every node has pycri's archive anyway. Standard library only.
"""
