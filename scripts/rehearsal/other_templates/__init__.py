"""Rehearses other people's SageMaker project templates."""
