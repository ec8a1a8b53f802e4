"""Registries over HTTP (OCI distribution-spec v1.1, pull): synchronous code for worker threads.

urllib3 is imported here only, and this package only at the first pull: an idle daemon does not carry it.
"""
