"""CloudFormation's template language: read, checked, resolved; and the registry's schemas."""
