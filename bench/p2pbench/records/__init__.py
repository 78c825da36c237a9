# SPDX-License-Identifier: GPL-2.0
"""The journal and its words: the wall between what makes the data and what reads it."""
