"""Cells of CSV files that spreadsheets open: none of them becomes a formula."""

FORMULA = tuple("=+-@\t\r\n")  # what begins a formula in some spreadsheet


def escape_cell(text: str) -> str:
    """Escape a text that a spreadsheet would compute: an apostrophe before it makes it a text."""
    return f"'{text}" if text.startswith(FORMULA) else text
