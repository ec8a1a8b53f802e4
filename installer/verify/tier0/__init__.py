"""Tier 0, under 2 seconds: the daemon answers, is ready, and the node points at it."""
