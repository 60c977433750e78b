"""The way out of each state in which a stack takes no update.

CloudFormation User Guide, "View CloudFormation stack events" (status codes) and "Continue rolling back an
update"; API Reference, RollbackStack.
"""

from __future__ import annotations

WAYS = {
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
    "UPDATE_FAILED": "rollback-stack",  # of an update without rollback
}


def way_out(name: str, status: str, region: str = "") -> str:
    """The command that takes a stack out of a state that ends with FAILED, or ROLLBACK_COMPLETE."""
    where = f" --region {region}" if region else ""
    return f"aws cloudformation {WAYS.get(status, 'delete-stack')} --stack-name {name}{where}"
