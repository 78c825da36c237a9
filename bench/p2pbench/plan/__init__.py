"""What to boot: the matrix, its file, and the order of the boots."""
