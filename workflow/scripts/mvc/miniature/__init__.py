"""The miniature foundation models that ship with the project."""
