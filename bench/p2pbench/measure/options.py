# SPDX-License-Identifier: GPL-2.0
"""A run as a user asks for it, in the words of the Makefile."""

from p2pbench.base.errors import BenchError
from p2pbench.base.units import parse_budget
from p2pbench.measure.run import Run
from p2pbench.plan.matrix_file import find_matrix


def open_run(matrix: str, seed: str, budget: str, resume: str) -> Run:
    """Return a new run or one to go on with; "" leaves a word out. Raises BenchError."""
    if seed and not seed.isdecimal():
        raise BenchError(f'SEED="{seed}": a whole number from 0 on is allowed')
    if resume:
        for name, given in (("MATRIX", matrix), ("SEED", seed), ("BUDGET", budget)):
            if given:
                raise BenchError(
                    f"a run goes on with the {name} that it began with, which its "
                    f"journal keeps: leave {name} out with RESUME"
                )
        return Run.resume(resume)
    return Run.new(
        find_matrix(matrix or "quick"),
        int(seed) if seed else None,
        parse_budget(budget) if budget else None,
    )
