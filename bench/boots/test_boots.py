# SPDX-License-Identifier: GPL-2.0
"""One item a boot of the matrix; its workloads are subtests."""

import pytest
from pytest_subtests import SubTests

from p2pbench.base import command
from p2pbench.base.errors import BenchError
from p2pbench.measure.progress import Progress
from p2pbench.plan.matrix import Boot
from p2pbench.report import junit


def test_boot(boot: Boot, progress: Progress, subtests: SubTests) -> None:
    """The boot ran to its end, and each workload's evidence shows the path that its cell claims."""
    try:
        if reason := progress.why_not(boot):
            pytest.skip(reason)
        record = progress.execute(boot)
    except BenchError as error:
        progress.give_up(error)
        pytest.exit("the run cannot go on", returncode=command.FAILED)
    bad = [entry["name"] for entry in record["workloads"] if entry["status"] != "ok"]
    for entry in record["workloads"]:
        with subtests.test(msg=entry["name"]):
            if trouble := junit.cell_trouble(entry):
                pytest.fail(trouble, pytrace=False)
    if trouble := junit.boot_trouble(record):
        pytest.fail(trouble, pytrace=False)
    if bad:
        pytest.fail(f"no result from {', '.join(bad)}", pytrace=False)
