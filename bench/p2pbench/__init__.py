# SPDX-License-Identifier: GPL-2.0
"""p2pbench: page-backed and pageless PCI peer-to-peer DMA, measured; bench/README.md is the map."""

import sys

# Before anything that an older Python cannot import, and in words that it can read.
if sys.version_info < (3, 11):
    sys.exit(
        "error: Python 3.11 or newer is needed, %s is %d.%d; `make ... PYTHON=python3.11` "
        "takes another" % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
