"""What `nodestrap status` finds out: ``probe`` asks one host, ``judge`` says how it is, ``table`` shows."""
