"""The services that the embedded AWS plays itself, one module each."""
