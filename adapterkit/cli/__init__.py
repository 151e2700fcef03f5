"""The `adapterkit` command."""

from adapterkit.cli.app import app, main

__all__ = ["app", "main"]
