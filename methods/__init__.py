"""UQ methods, one small file each."""
