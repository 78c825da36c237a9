"""What mypy knows of a journal's lines is what the schema checks of them."""

import json
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from p2pbench.records import records
from p2pbench.records.journal import SCHEMA_FILE

PARTS: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())["$defs"]
RUN = PARTS["run"]["properties"]
BOOT = PARTS["boot"]["properties"]
EVIDENCE = PARTS["evidence"]["properties"]


@pytest.mark.parametrize(("record", "part"), [
    (records.Header, PARTS["run"]), (records.MatrixRecord, PARTS["matrix"]),
    (records.WorkloadRecord, PARTS["workload"]), (records.CompareRecord, PARTS["compare"]),
    (records.Side, PARTS["side"]), (records.PlannedBoot, PARTS["planned"]),
    (records.StoppingRecord, RUN["stopping"]), (records.LookRecord, PARTS["look"]),
    (records.Skipped, PARTS["look"]["properties"]["skipped"]["items"]),
    (records.BootRecord, PARTS["boot"]), (records.StepError, PARTS["error"]),
    (records.LostRecord, BOOT["lost"]), (records.WorkloadResult, PARTS["result"]),
    (records.Metrics, PARTS["metrics"]), (records.Counts, PARTS["counts"]),
    (records.Virtual, PARTS["virtual"]), (records.Evidence, PARTS["evidence"]),
    (records.P2pCounters, EVIDENCE["p2p"]), (records.DeviceCounters, EVIDENCE["device"]),
    (records.PoolSamples, EVIDENCE["pool"])], ids=lambda part: getattr(part, "__name__", ""))
def test_a_type_has_the_keys_of_its_schema(record: Any, part: dict[str, Any]) -> None:
    hints = get_type_hints(record, include_extras=True)
    required = {key for key, hint in hints.items() if get_origin(hint) is not NotRequired}
    assert required == set(part["required"])
    # Counters are all required, so that their schema names them there alone.
    assert hints.keys() == set(part.get("properties", part["required"]))


def test_every_type_is_held_by_that_test() -> None:
    types = {name for name, value in vars(records).items() if hasattr(value, "__required_keys__")}
    (cases,) = test_a_type_has_the_keys_of_its_schema.pytestmark  # type: ignore[attr-defined]
    assert types - {"Row"} == {record.__name__ for record, _ in cases.args[1]}
