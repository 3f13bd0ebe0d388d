"""uqbench: which error bars on an interatomic potential can I trust, how tight are they, at what cost?"""

__version__ = "0.1.0"
