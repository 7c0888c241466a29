"""Stage comparisons: gains over labelled subsets."""
