# SPDX-License-Identifier: GPL-2.0
"""What a kernel says that is taken for a complaint, and what is not."""

import pytest

from p2pbench.measure.boot import COMPLAINT


@pytest.mark.parametrize(
    "line",
    [
        "DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0xffff0000 "
        "[fault reason 0x06]",
        "nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0003 address=0xfe0000000]",
        "AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:01:00.0 domain=0x0003 "
        "address=0xfe0000000]",
        "nvme nvme0: I/O 12 QID 1 timeout",
        "nvme nvme0: I/O 12 QID 1 timeout, completion polled",
        "nvme nvme0: I/O 12 (Write) QID 1 timeout, aborting",
        "DMA-API: nvme 0000:01:00.0: device driver has pending DMA allocations while released",
        "WARNING: CPU: 0 PID: 1 at block/blk-core.c:1 submit_bio+0x1/0x2",
    ],
)
def test_a_fault_is_a_complaint(line: str) -> None:
    assert COMPLAINT.search(f"[    1.234567] {line}")


@pytest.mark.parametrize(
    "line",
    [
        "AMD-Vi: Interrupt remapping enabled",
        "DMAR: Host address width 39",
        "nvme nvme0: Shutdown timeout set to 8 seconds",
        "nvmet: ctrl 1 cannot reach p2pmem on 0000:02:00.0 for nsid 1, using host memory",
    ],
)
def test_an_ordinary_line_is_none(line: str) -> None:
    assert not COMPLAINT.search(f"[    1.234567] {line}")
