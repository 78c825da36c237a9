# SPDX-License-Identifier: GPL-2.0
"""The checkout of straw, made once; each test has results of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from straw import Straw


@pytest.fixture(scope="session")
def made_of_straw(tmp_path_factory: pytest.TempPathFactory) -> Straw:
    return Straw(tmp_path_factory.mktemp("straw"))


@pytest.fixture
def straw(made_of_straw: Straw, tmp_path: Path) -> Iterator[Straw]:
    """A harness that is real on guests of straw, of which all go well."""
    made_of_straw.results = tmp_path / "results"
    made_of_straw.results.mkdir()
    made_of_straw.behave({})
    yield made_of_straw
    made_of_straw.end()
