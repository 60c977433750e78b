"""Drift: where a stack's resources differ from its template, by what their services show.

CloudFormation User Guide, "Detect unmanaged configuration changes to stacks and resources with drift detection".
- readers.py: the properties of a resource as its service shows them, read with the caller's rights
- compare.py: the differences between what is expected and what is
- service.py: the operations

A resource type that CloudFormation itself cannot check (its registry schema has no read handler) stays NOT_CHECKED. One
that only the embedded AWS cannot read is UNKNOWN, with the reason. Drift of stack sets is not supported.
"""
