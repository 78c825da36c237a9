"""From a journal to verdicts: questions, pairs, intervals, p. Knows no machine and no sentence."""
