"""Starting points of plugins, written by `uqbench new`."""
