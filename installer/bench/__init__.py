"""``nodestrap bench``: two CRI endpoints measured in turn in one run, and the ratio between them."""
