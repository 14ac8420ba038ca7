"""Rows in, leads out: readers, mapping, normalising, landing."""
