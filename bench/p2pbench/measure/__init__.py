"""From boots to a journal: a run, its boots, its budget."""
