"""AWS CodePipeline: pipelines, their executions, approvals, conditions and triggers.

AWS CodePipeline API Reference, the page of each operation; the structure and action references of the User Guide.
- service.py: pipelines and executions; stages.py: approvals, retries, rollbacks and transitions
- declaration.py, providers.py: what a declaration may hold
- execution.py: an execution on its way through the stages; work.py: one action at work
- actions.py, cloudformation.py, stacksets.py, connections.py, functions.py, compute.py: the action providers
- conditions.py, window.py: stage conditions and their rules; triggers.py, polling.py: what starts a pipeline
"""
