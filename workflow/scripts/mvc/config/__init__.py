"""The configuration: read while Snakemake parses it. Standard library, yaml and jsonschema alone."""
