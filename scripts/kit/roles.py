"""Whether a role exists."""

from __future__ import annotations

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection


def role_exists(connection: Connection, role: str) -> bool:
    """Whether the account has a role; role: its name, with or without its path, or its ARN."""
    try:
        connection.client("iam").get_role(RoleName=role.rsplit("/", 1)[-1])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return False
        raise
    return True
