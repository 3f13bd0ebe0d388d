"""Studies of methods where the truth is known, rerun with one command."""
