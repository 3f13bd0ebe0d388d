"""Reference properties, one file each; every value with its method, error and protocol."""
