# SPDX-License-Identifier: GPL-2.0
"""What every room stands on: errors, places, files, units, programs; no word of p2p."""
