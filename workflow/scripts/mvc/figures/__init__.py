"""Stage figures: image grids and the paper's figures."""
