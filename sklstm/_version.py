"""The version of the package, for those of its files that write it down."""

__version__ = "0.1.0"
