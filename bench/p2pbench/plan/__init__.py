# SPDX-License-Identifier: GPL-2.0
"""What to boot: the matrix, its file, and the order of the boots."""
