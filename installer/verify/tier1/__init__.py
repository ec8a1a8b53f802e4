"""Tier 1, under 30 seconds: one pod's whole life, as the kubelet would drive it."""
