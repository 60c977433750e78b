"""Runs the notebooks on the embedded AWS."""
