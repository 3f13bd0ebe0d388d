"""Suite files that come with uqbench: run --suite NAME."""
