"""``pycri ctl``: the commands of crictl, for any CRI endpoint. Run under the name ``crictl`` it is the same.

A program of its own beside the daemon: neither imports the other, beyond messages and stream framing. One
verb per file in ``verbs/``, which is imported when it is called.
"""
