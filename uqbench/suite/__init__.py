"""The plan of cells, its execution and the record store."""
