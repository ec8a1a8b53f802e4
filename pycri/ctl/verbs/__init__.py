"""One verb per file. ``options`` declares its arguments; ``run`` does it and may return an exit code."""
