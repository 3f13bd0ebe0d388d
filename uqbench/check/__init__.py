"""The contract check: runs a plugin on a tiny input and says in words what is wrong with it."""
