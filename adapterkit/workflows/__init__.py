"""The stories: one file each, read top to bottom."""
