"""Experiment trackers: what a training tells them, and what happens when one fails."""
