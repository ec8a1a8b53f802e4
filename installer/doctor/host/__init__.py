"""What runs on the host, sent there as source: Python 3.6, the standard library, nothing changed."""
