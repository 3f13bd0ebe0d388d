"""python -m uqbench"""

import sys

from uqbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
