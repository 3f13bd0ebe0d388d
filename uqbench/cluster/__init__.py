"""Runs spread over processes and machines: Dask workers, a store that they share, large sums in parts."""
