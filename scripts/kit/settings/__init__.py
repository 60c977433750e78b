"""environment.yaml: read, checked, kept."""
