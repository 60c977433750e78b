"""Rehearses a team's own deploy and training repository in place of the seed code."""
