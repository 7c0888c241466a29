"""Stage classifiers: one run of one arm."""
