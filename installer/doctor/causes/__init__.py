"""One cause a file, each with ``diagnose(evidence)``; ``doctor/diagnose.py`` lists and ranks them."""
