"""AWS::CDK::Metadata, which the CDK writes into its templates."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, provides


@provides("AWS::CDK::Metadata")
class Metadata:
    """AWS::CDK::Metadata: what the CDK writes about itself; nothing is made."""

    carried = frozenset({"Analytics", "Modules"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return Made(context.generated_name(64))

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """There is nothing to take away."""
