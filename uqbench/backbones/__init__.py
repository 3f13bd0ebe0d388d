"""The potentials whose uncertainty is scored."""
