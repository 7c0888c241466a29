"""Stage report: what a run found, as pages that a browser opens without a network."""
