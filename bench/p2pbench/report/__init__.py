"""A verdict's way to a reader: sentences, tables, plots, pages, the terminal."""
