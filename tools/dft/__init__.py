"""Our own DFT sets: structures, labels and reference properties of a material, computed with Quantum ESPRESSO."""
