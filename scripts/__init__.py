"""The kit's commands, one module each: python -m scripts.NAME --help."""
