"""The kit's stacks and stack sets: planned and applied."""
