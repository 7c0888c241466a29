"""One module for each kind of raw data."""
