"""The embedded AWS, and the story that it plays."""
