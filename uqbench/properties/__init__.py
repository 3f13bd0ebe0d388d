"""Simulation results of a potential: relaxation, vacancy, elastic constants, and uncertainty through them."""
