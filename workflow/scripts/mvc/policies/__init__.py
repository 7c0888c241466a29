"""Stage policies: Fast AutoAugment."""
