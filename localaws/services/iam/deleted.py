"""What a deleted role or user leaves behind: its unique id, in every policy that named it.

IAM User Guide, "AWS JSON policy elements: Principal": when a policy is saved, the ARN of a role or user in it becomes
the unique id, and is shown as the ARN as long as there is one. So a role that is created again under the same name is
another principal, until the policies are saved again. Here a policy keeps the ARN until its principal is deleted: what
is shown and what is allowed are the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from awslang.policy.document import renamed
from localaws import moto_bridge, registry
from localaws.calls import Call
from localaws.services.iam.checks import deleted_user, modifiable
from localaws.services.iam.service import iam


@iam.before("DeleteRole", "DeleteUser")
def principal(call: Call) -> Any:
    """The role or user that the request deletes; None where there is none."""
    backend = moto_bridge.backend("iam", call.account, "aws")
    if call.operation == "DeleteUser":
        user = backend.users.get(call.params["UserName"])
        if user is not None:
            deleted_user(user, list(backend.groups.values()))
        return user
    modifiable(call)
    return next((role for role in list(backend.roles.values()) if role.name == call.params["RoleName"]), None)


@iam.after("DeleteRole", "DeleteUser")
def policies(call: Call, deleted: Any) -> None:
    for access in registry.loaded():
        if access.rewrite is not None:
            access.rewrite(call.cloud, partial(renamed, principal=deleted.arn, name=deleted.id))
    call.cloud.forget_sessions()  # services then assume a role that was created again, once more
