"""The one place that spells the version of nodestrap and pycri."""

__version__ = "0.1.0"
