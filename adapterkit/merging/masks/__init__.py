"""Elementwise masks of changes that are too large to be formed whole, block of rows by block of rows."""
