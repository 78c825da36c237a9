"""One item a boot of the matrix; its workloads are subtests."""

import pytest
from pytest_subtests import SubTests

from conftest import Session
from p2pbench.plan.matrix import Boot
from p2pbench.report import junit


def test_boot(boot: Boot, session: Session, subtests: SubTests) -> None:
    """The boot ran to its end, and each workload's evidence shows the path that its cell claims."""
    if reason := session.why_not(boot):
        pytest.skip(reason)
    record = session.execute(boot)
    bad = [entry["name"] for entry in record["workloads"] if entry["status"] != "ok"]
    for entry in record["workloads"]:
        with subtests.test(msg=entry["name"]):
            if trouble := junit.cell_trouble(entry):
                pytest.fail(trouble, pytrace=False)
    if trouble := junit.boot_trouble(record):
        pytest.fail(trouble, pytrace=False)
    if bad:
        pytest.fail(f"no result from {', '.join(bad)}", pytrace=False)
