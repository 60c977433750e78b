"""What authorization asks of Amazon EC2: the resources by their ids, and the tags of what is made.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2". EC2's own condition keys
(ec2:Vpc, ec2:CreateAction, …) are in no request here: a statement with one does not match.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from localaws.authorization.needs import strings, tag_keys
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, Keys, Need
from localaws.services.ec2.service import ec2

KINDS = {
    "rtb": "route-table", "sg": "security-group", "subnet": "subnet", "vpc": "vpc", "vpce": "vpc-endpoint",
}  # fmt: skip
MADE = {
    "CreateRouteTable": "route-table", "CreateSecurityGroup": "security-group", "CreateSubnet": "subnet",
    "CreateVpc": "vpc", "CreateVpcEndpoint": "vpc-endpoint",
}  # fmt: skip


def resources(call: Call, types: list[str]) -> list[str]:
    """What the parameters name by id, and what is yet to have one."""
    ids = [id for value in call.params.values() for id in strings(value)]
    named = [f"{KINDS[id.partition('-')[0]]}/{id}" for id in ids if id.partition("-")[0] in KINDS and "-" in id]
    made = [f"{MADE[call.operation]}/*"] if call.operation in MADE else []
    return [arn("ec2", call.region, call.account, one) for one in (*made, *named) if one.partition("/")[0] in types]


def keys(call: Call) -> Keys:
    """The tags that a creation sets."""
    tags = [tag for one in call.params.get("TagSpecifications") or () for tag in one.get("Tags") or ()]
    return tag_keys({"Tags": tags})


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """Tags at the creation need ec2:CreateTags too (EC2 User Guide, "Grant permission to tag resources")."""
    if call.operation in MADE and "aws:tagkeys" in keys:
        yield Need("ec2:CreateTags", arns[0], call.account, keys)


ec2.access = Access(resources=resources, keys=keys, further=further)
