"""A suite run and compared where changes are reviewed: the comment, its verdict, and a line for the history."""
