"""The live stack of adapters."""
