"""Amazon EC2's networks."""
