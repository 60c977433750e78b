"""AWS Secrets Manager: moto answers every operation."""
