"""The frozen base: located, loaded, digested, fingerprinted."""
