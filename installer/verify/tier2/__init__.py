"""Tier 2, under a minute: the wider CRI, field by field, read back inside the container."""
