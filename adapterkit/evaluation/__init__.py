"""How good an adapter is."""
