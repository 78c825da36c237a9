# SPDX-License-Identifier: GPL-2.0
"""A verdict's way to a reader: sentences, tables, plots, pages, the terminal."""
