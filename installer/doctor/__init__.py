"""Why is this host sick? One read-only look at it, and its causes, ranked, with evidence and fix.

``gather`` asks a host (``host/`` runs there), ``evidence`` types the answer, ``causes/`` has one a file,
``diagnose`` ranks what they find.
"""
