"""Where configs are, what may stand in them, and how they become typed."""
