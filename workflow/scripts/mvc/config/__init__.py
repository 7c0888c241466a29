"""The configuration, read while Snakemake parses: standard library, yaml, jsonschema alone."""
