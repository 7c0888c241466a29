"""Stage tables: the paper's tables from the runs."""
