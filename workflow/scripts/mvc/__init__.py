"""Dataset augmentation by mixing visual concepts: the library behind the workflow's stages."""
