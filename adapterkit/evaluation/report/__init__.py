"""The report of one training: a single HTML file that needs nothing but itself."""
