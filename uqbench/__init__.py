"""uqbench: which error bars on an interatomic potential can I trust, how tight are they, what do they cost?"""

__version__ = "0.1.0"
