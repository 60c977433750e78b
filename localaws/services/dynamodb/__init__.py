"""Amazon DynamoDB: moto answers its operations."""
