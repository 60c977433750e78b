"""AWS CloudFormation: stacks, change sets and stack sets, and the providers of resource types.

AWS CloudFormation API Reference, the page of each operation; User Guide, "How CloudFormation works".
- service.py: operations that change stacks; views.py: those that read; changesets.py: change sets
- requests.py, goals.py, changes.py: what a request asks for, and what has to change
- deploy.py, updates.py, steps.py, deployment.py: the work on a stack's resources
- stack_policies.py: what an update must leave alone
- provider.py, providers/: what carries out each resource type; providers/signals.py: what a stack waits for
- stacksets/: stack sets; drift/: what differs from the template

Not supported: notification topics, rollback triggers, drift of stack sets.
"""
