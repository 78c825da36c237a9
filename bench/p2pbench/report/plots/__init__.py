# SPDX-License-Identifier: GPL-2.0
"""The plots of a report, each an <svg> element of its page."""
