"""One item a boot of the matrix; its workloads are subtests."""

import pytest
from pytest_subtests import SubTests

from conftest import Session
from p2pbench.matrix import Boot


def test_boot(boot: Boot, session: Session, subtests: SubTests) -> None:
    """The boot ran to its end, and each workload's evidence shows the path that its cell claims."""
    if reason := session.why_not(boot):
        pytest.skip(reason)
    record = session.execute(boot)
    bad = [entry["name"] for entry in record["workloads"] if entry["status"] != "ok"]
    for entry in record["workloads"]:
        with subtests.test(msg=entry["name"]):
            if entry["status"] == "invalid":
                pytest.fail(f"invalid: {'; '.join(entry['reasons'])}", pytrace=False)
            if entry["status"] == "failed":
                pytest.fail("{step}: expected {expected}, got {got}".format(**entry["error"]),
                            pytrace=False)
    if record["status"] == "lost":
        pytest.fail("lost the machine in stage \"{stage}\": {reason}".format(**record["lost"]),
                    pytrace=False)
    if record["status"] == "failed":
        pytest.fail("{step}: expected {expected}, got {got}".format(**record["error"]),
                    pytrace=False)
    if bad:
        pytest.fail(f"no result from {', '.join(bad)}", pytrace=False)
