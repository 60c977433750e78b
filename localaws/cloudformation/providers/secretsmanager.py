"""Secrets Manager's resource types (CloudFormation Template Reference, "AWS::SecretsManager::Secret")."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import fill, only, retag_resource, tagging, unless, without

MISSING = {"ResourceNotFoundException"}
TYPE = "AWS::SecretsManager::Secret"


@provides("AWS::SecretsManager::Secret")
class Secret:
    """Ref and Id give the ARN. The value is given, or made of a random password."""

    carried = frozenset({"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(TYPE, properties, self.carried)
        secrets = context.client("secretsmanager")
        given = {"Name": context.generated_name(64), **without(properties, "GenerateSecretString")}
        given |= {"SecretString": self._value(context, properties)} | tagging(context, properties)
        return self._made(secrets.create_secret(**fill(secrets, "CreateSecret", given, TYPE))["ARN"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(TYPE, new, self.carried)
        secrets = context.client("secretsmanager")
        given = {name: new.get(name, "") for name in ("Description", "KmsKeyId") if old.get(name) != new.get(name)}
        if any(old.get(name) != new.get(name) for name in ("SecretString", "GenerateSecretString")):
            given["SecretString"] = self._value(context, new)
        if given:
            secrets.update_secret(SecretId=physical_id, **given)
        retag_resource(context, old, new, secrets, SecretId=physical_id)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """Without a time to recover it, so that the name is free at once."""
        secrets = context.client("secretsmanager")
        unless(MISSING, secrets.delete_secret, SecretId=physical_id, ForceDeleteWithoutRecovery=True)

    def _made(self, arn: str) -> Made:
        return Made(arn, {"Id": arn})

    def _value(self, context: Context, properties: dict[str, Any]) -> str:
        """The value itself; GenerateSecretString: a password alone, or within the template's JSON under its key."""
        if "GenerateSecretString" not in properties:
            return str(properties.get("SecretString", ""))
        wanted = properties["GenerateSecretString"]
        template, key = wanted.get("SecretStringTemplate"), wanted.get("GenerateStringKey")
        if (template is None) != (key is None):
            raise ResourceFailed("SecretStringTemplate and GenerateStringKey must be given together")
        secrets, asked = context.client("secretsmanager"), without(wanted, "SecretStringTemplate", "GenerateStringKey")
        password = str(secrets.get_random_password(**fill(secrets, "GetRandomPassword", asked, TYPE))["RandomPassword"])
        if template is None:
            return password
        try:
            return json.dumps({**json.loads(template), key: password})
        except (ValueError, TypeError) as error:
            raise ResourceFailed("SecretStringTemplate must be a JSON object") from error
