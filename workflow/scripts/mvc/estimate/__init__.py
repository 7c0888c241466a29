"""Stage estimate: what a configuration would cost."""
