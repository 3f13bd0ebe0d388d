"""MACE: a network trained here, as a potential and as a linear model in its last layer."""
