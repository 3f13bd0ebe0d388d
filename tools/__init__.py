"""What made the data that uqbench ships; not part of the installed package."""
