"""One check per file: a generator of findings, nothing when all is well. ``matrix.py`` lists them."""
