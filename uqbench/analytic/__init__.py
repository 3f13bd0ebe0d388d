"""Materials whose truth is a classical potential: training data and exact properties by number."""
