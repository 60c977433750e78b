"""Linters for `make lint`."""
