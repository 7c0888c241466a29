"""What only a user sees: progress, endings, status. Left out of the code digests."""
