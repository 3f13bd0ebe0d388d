"""Potentials that are there already: a user's ASE calculators, from a function or from model files of mace."""
