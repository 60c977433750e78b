"""The story's chapters on a real organization, from its environment file and with profiles alone."""
