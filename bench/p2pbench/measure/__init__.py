# SPDX-License-Identifier: GPL-2.0
"""From boots to a journal: a run, its boots, its budget."""
