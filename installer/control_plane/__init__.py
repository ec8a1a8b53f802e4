"""A cluster as its control planes tell it: asked and changed through ``kubectl`` on one of them.

``kubectl`` runs commands there, ``observe`` finds out what each host is by now, ``access`` lets hosts in for
the time of a run, ``client_certificates`` has the cluster's CA sign what a node's agent shows.
"""
