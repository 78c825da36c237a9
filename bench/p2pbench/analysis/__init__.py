# SPDX-License-Identifier: GPL-2.0
"""From a journal to verdicts: questions, pairs, intervals, p. Knows no machine and no sentence."""
