"""Published adapters that answer."""
