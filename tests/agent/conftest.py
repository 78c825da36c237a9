# SPDX-License-Identifier: GPL-2.0
"""The agent, built once, and a machine made of files for each test."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from faketree import Agent, FakeMachine

HERE = Path(__file__).parent

SOURCE = HERE.parents[1] / "bench/agent"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the agent and the library that plays configfs and disks."""
    out = tmp_path_factory.mktemp("agent")
    subprocess.run(["make", "-s", "-C", SOURCE, f"O={out}"], check=True)
    subprocess.run(
        [
            "gcc",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            out / "fake.so",
            HERE / "fake_configfs.c",
            HERE / "fake_disk.c",
            "-ldl",
        ],
        check=True,
    )
    return out


@pytest.fixture
def machine(built: Path, tmp_path: Path) -> FakeMachine:
    """A machine on which a setup succeeds; tests take away what they need missing."""
    return FakeMachine(tmp_path / "machine", built / "fake.so")


@pytest.fixture
def agent(built: Path, machine: FakeMachine) -> Iterator[Agent]:
    """The agent on that machine."""
    with Agent(built / "p2pagent", machine) as running:
        yield running
