# SPDX-License-Identifier: GPL-2.0
"""From patches to kernels: bases, variants, trees, builds, and what differs between builds."""
