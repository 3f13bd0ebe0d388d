"""Cards, structures and splits; the embedded dataset."""
