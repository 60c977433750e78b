"""IAM's policy language: documents, patterns, conditions, and the decision."""
