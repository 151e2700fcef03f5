"""The ways to merge, one pure function a file."""

from adapterkit.merging.methods.registry import METHODS, Linear, Masked, method_named

__all__ = ["METHODS", "Linear", "Masked", "method_named"]
