"""Evidence decides: each way in which data can miss peer memory makes a cell invalid."""

import copy
from typing import Any

import pytest

from p2pbench.evidence import judge

PEER: dict[str, Any] = {
    "p2p": {"requests": 10, "bytes": 40960, "fallbacks": 0},
    "device": {"reads": 6, "read_bytes": 24576, "writes": 4, "write_bytes": 16384},
    "pool": {"size": 65536, "before": 65536, "low": 61440, "after": 65536, "samples": 140},
}
HOST: dict[str, Any] = PEER | {"p2p": {"requests": 0, "bytes": 0, "fallbacks": 0}, "pool": None}


def changed(evidence: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    result = copy.deepcopy(evidence)
    result[part].update(values)
    return result


def test_complete_evidence_is_valid() -> None:
    assert judge("bar", PEER, 40960) == []
    assert judge("cmb", PEER, 40960) == []
    assert judge("host", HOST, 40960) == []
    assert judge("host", HOST | {"p2p": None}, 40960) == []


@pytest.mark.parametrize(("evidence", "reason"), [
    (changed(PEER, "p2p", fallbacks=1), "1 requests fell back to host memory"),
    (changed(PEER, "p2p", requests=9), "9 P2P requests, but the fabric device did 10"),
    (changed(PEER, "p2p", bytes=36864), "36864 P2P bytes"),
    (changed(PEER, "pool", low=65536), "low-water mark did not move"),
    (changed(PEER, "pool", low=65536, samples=30), "low-water mark did not move"),
    (PEER | {"pool": None}, "no pool"),
    (PEER | {"p2p": None}, "no P2P counters"),
    (None, "no evidence"),
])
def test_a_peer_cell_that_missed_peer_memory_is_invalid(evidence: dict[str, Any] | None,
                                                        reason: str) -> None:
    assert any(reason in given for given in judge("bar", evidence, 40960))


def test_too_few_samples_of_the_pool_prove_nothing_either_way() -> None:
    assert judge("bar", changed(PEER, "pool", low=65536, samples=2), 40960) == []


def test_data_that_never_reached_the_fabric_device_is_invalid() -> None:
    assert "40961" in judge("bar", PEER, 40961)[0]
    nothing = changed(PEER, "device", reads=0, read_bytes=0, writes=0, write_bytes=0)
    assert "moved no data" in judge("host", nothing | {"p2p": None}, 0)[0]


def test_a_host_cell_that_used_peer_memory_is_invalid() -> None:
    assert "10 requests used peer memory" in judge("host", PEER, 40960)[0]
