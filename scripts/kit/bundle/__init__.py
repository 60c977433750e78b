"""The bundle: packed, and compared."""
