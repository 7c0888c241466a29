"""What every stage shares: image tables, pixels, leakage checks, atomic writing, seeds, digests."""
