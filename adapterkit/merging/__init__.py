"""Combining adapters: flatten, merge methods, recompression, export."""
