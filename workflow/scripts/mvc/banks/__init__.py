"""Stage banks: mixing visual concepts (Algorithm 1) and its recipes."""
