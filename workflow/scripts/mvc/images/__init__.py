"""Stage images: raw data to labelled splits."""
