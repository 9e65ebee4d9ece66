"""Weights that matter least are taken out: set to zero, or whole channels removed."""
