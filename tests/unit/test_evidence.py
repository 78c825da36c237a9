# SPDX-License-Identifier: GPL-2.0
"""Evidence decides: each way in which data can miss peer memory makes a cell invalid."""

import copy
from typing import Any

import pytest

from p2pbench.records.evidence import judge

PEER: dict[str, Any] = {
    "p2p": {"requests": 100, "bytes": 409600, "fallbacks": 0},
    "device": {"reads": 60, "read_bytes": 245760, "writes": 40, "write_bytes": 163840},
    "pool": {"size": 65536, "before": 65536, "low": 61440, "after": 65536, "samples": 140},
}
HOST: dict[str, Any] = PEER | {"p2p": {"requests": 0, "bytes": 0, "fallbacks": 0}, "pool": None}


def changed(evidence: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    result = copy.deepcopy(evidence)
    result[part].update(values)
    return result


def test_complete_evidence_is_valid() -> None:
    assert judge("bar", PEER, 409600) == []
    assert judge("cmb", PEER, 409600) == []
    assert judge("host", HOST, 409600) == []
    assert judge("host", HOST | {"p2p": None}, 409600) == []


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (changed(PEER, "p2p", fallbacks=1), "1 requests fell back to host memory"),
        (changed(PEER, "p2p", requests=99), "99 P2P requests, but the fabric device did 100"),
        (changed(PEER, "p2p", bytes=405504), "405504 P2P bytes"),
        (changed(PEER, "pool", low=65536), "low-water mark did not move"),
        (changed(PEER, "pool", low=65536, samples=50), "low-water mark did not move"),
        (PEER | {"pool": None}, "no pool"),
        (PEER | {"p2p": None}, "no P2P counters"),
        (None, "no evidence"),
    ],
)
def test_a_peer_cell_that_missed_peer_memory_is_invalid(
    evidence: dict[str, Any] | None, reason: str
) -> None:
    assert any(reason in given for given in judge("bar", evidence, 409600))


def test_too_few_samples_of_the_pool_prove_nothing_either_way() -> None:
    assert judge("bar", changed(PEER, "pool", low=65536, samples=2), 409600) == []
    few = changed(changed(PEER, "pool", low=65536), "p2p", requests=16)
    few = changed(few, "device", reads=16, writes=0)
    assert judge("bar", few, 409600) == []


def test_data_that_never_reached_the_fabric_device_is_invalid() -> None:
    assert "409601" in judge("bar", PEER, 409601)[0]
    nothing = changed(PEER, "device", reads=0, read_bytes=0, writes=0, write_bytes=0)
    assert "moved no data" in judge("host", nothing | {"p2p": None}, 0)[0]


def test_a_host_cell_that_used_peer_memory_is_invalid() -> None:
    assert "100 requests used peer memory" in judge("host", PEER, 409600)[0]
