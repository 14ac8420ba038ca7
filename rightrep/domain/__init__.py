"""Frozen records and pure rules; the standard library and NumPy only."""
