"""Amazon DynamoDB: moto answers every operation."""
