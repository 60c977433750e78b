"""The library beneath the commands."""
