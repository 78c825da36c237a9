# SPDX-License-Identifier: GPL-2.0
"""Where it boots: QEMU, its guest's image, what counts in it, and what must be there."""
