"""The pages that people read, in a real browser."""
