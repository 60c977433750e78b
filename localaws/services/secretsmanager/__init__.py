"""AWS Secrets Manager: moto answers its operations."""
