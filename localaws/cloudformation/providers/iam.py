"""IAM's resource types (CloudFormation Template Reference, "AWS IAM")."""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    retag,
    tag_list,
    tagging,
    undone_by,
    unless,
    without,
)

MISSING = {"NoSuchEntity", "NoSuchEntityException"}
HOLDERS = {"Roles": "Role", "Users": "User", "Groups": "Group"}
MOST_VERSIONS = 5  # of a managed policy (IAM User Guide, "IAM and AWS STS quotas")


@provides("AWS::IAM::Role")
class Role:
    carried = frozenset(
        {
            "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
            "PermissionsBoundary", "Policies", "RoleName", "Tags",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::IAM::Role", properties, self.carried)
        iam = context.client("iam")
        name = str(properties.get("RoleName") or context.generated_name(64))
        arguments = {**without(properties, "Policies", "ManagedPolicyArns"), "RoleName": name}
        arguments |= tagging(context, properties)
        made = iam.create_role(**fill(iam, "CreateRole", arguments, "AWS::IAM::Role"))["Role"]
        with undone_by(lambda: self.delete(context, name, properties)):
            self._grant(iam, name, {}, properties)
        return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::Role", new, self.carried)
        iam, name = context.client("iam"), physical_id
        if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"]:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(new["AssumeRolePolicyDocument"]))
        if any(old.get(k) != new.get(k) for k in ("Description", "MaxSessionDuration")):
            seconds = int(new.get("MaxSessionDuration") or 3600)
            iam.update_role(RoleName=name, Description=new.get("Description", ""), MaxSessionDuration=seconds)
        if old.get("PermissionsBoundary") != new.get("PermissionsBoundary"):
            if boundary := new.get("PermissionsBoundary"):
                iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
            else:
                iam.delete_role_permissions_boundary(RoleName=name)
        self._grant(iam, name, old, new)
        retag(
            context,
            old,
            new,
            lambda tags: iam.tag_role(RoleName=name, Tags=tag_list(tags)),
            lambda keys: iam.untag_role(RoleName=name, TagKeys=keys),
        )
        role = iam.get_role(RoleName=name)["Role"]
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """Policies that were attached outside of the stack stay, and fail the deletion (DeleteConflict)."""
        iam = context.client("iam")
        attached = unless(MISSING, iam.list_attached_role_policies, RoleName=physical_id)
        if attached is None:
            return
        here = {policy["PolicyArn"] for policy in attached["AttachedPolicies"]}
        inline = set(iam.list_role_policies(RoleName=physical_id)["PolicyNames"])
        mine = {
            "ManagedPolicyArns": [arn for arn in properties.get("ManagedPolicyArns", []) if arn in here],
            "Policies": [p for p in properties.get("Policies", []) if p["PolicyName"] in inline],
        }
        self._grant(iam, physical_id, mine, {})
        iam.delete_role(RoleName=physical_id)

    def _grant(self, iam: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        """From the policies before to the policies after: what is added first, what is taken last."""
        arns_before, arns = old.get("ManagedPolicyArns") or [], new.get("ManagedPolicyArns") or []
        inline_before = {p["PolicyName"]: document(p["PolicyDocument"]) for p in old.get("Policies") or []}
        inline = {p["PolicyName"]: document(p["PolicyDocument"]) for p in new.get("Policies") or []}
        for arn in [a for a in arns if a not in arns_before]:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy, text in inline.items():
            if inline_before.get(policy) != text:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=text)
        for arn in [a for a in arns_before if a not in arns]:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in [p for p in inline_before if p not in inline]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)


def change_holders(iam: Any, verb: str, kind: str, names: list[str], **arguments: Any) -> None:
    """attach_role_policy, put_user_policy, … for each role, user or group."""
    singular = HOLDERS[kind]
    method = getattr(iam, f"{verb}_{singular.lower()}_policy")
    for name in names:
        unless(MISSING if verb in {"detach", "delete"} else (), method, **{f"{singular}Name": name}, **arguments)


@provides("AWS::IAM::OIDCProvider")
class OIDCProvider:
    """An identity provider; the thumbprint may be left out (CreateOpenIDConnectProvider: IAM then finds it itself)."""

    carried = frozenset({"ClientIdList", "Tags", "ThumbprintList", "Url"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::IAM::OIDCProvider", properties, self.carried)
        iam = context.client("iam")
        arguments = without(properties, "ClientIdList") | tagging(context, properties)
        arguments["ClientIDList"] = properties.get("ClientIdList") or []
        filled = fill(iam, "CreateOpenIDConnectProvider", arguments, "AWS::IAM::OIDCProvider")
        arn = str(iam.create_open_id_connect_provider(**filled)["OpenIDConnectProviderArn"])
        return Made(arn, {"Arn": arn})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::OIDCProvider", new, self.carried)
        iam, arn = context.client("iam"), physical_id
        if old.get("ClientIdList") != new.get("ClientIdList"):
            raise NotSupported("AWS::IAM::OIDCProvider: another ClientIdList")
        if old.get("ThumbprintList") != new.get("ThumbprintList"):
            iam.update_open_id_connect_provider_thumbprint(
                OpenIDConnectProviderArn=arn, ThumbprintList=new.get("ThumbprintList") or []
            )
        retag(
            context,
            old,
            new,
            lambda tags: iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=tag_list(tags)),
            lambda keys: iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=keys),
        )
        return Made(arn, {"Arn": arn})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        iam = context.client("iam")
        unless(MISSING, iam.delete_open_id_connect_provider, OpenIDConnectProviderArn=physical_id)


@provides("AWS::IAM::ManagedPolicy")
class ManagedPolicy:
    carried = frozenset({"Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::IAM::ManagedPolicy", properties, self.carried)
        iam = context.client("iam")
        name = str(properties.get("ManagedPolicyName") or context.generated_name(128))
        arguments = without(properties, "ManagedPolicyName", *HOLDERS) | {"PolicyName": name}
        made = iam.create_policy(**fill(iam, "CreatePolicy", arguments, "AWS::IAM::ManagedPolicy"))["Policy"]
        arn = str(made["Arn"])
        with undone_by(lambda: self.delete(context, arn, properties)):
            for kind in HOLDERS:
                change_holders(iam, "attach", kind, properties.get(kind) or [], PolicyArn=arn)
        return Made(arn, {"PolicyArn": arn, "PolicyId": made["PolicyId"], "DefaultVersionId": "v1"})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::ManagedPolicy", new, self.carried)
        iam = context.client("iam")
        if document(old["PolicyDocument"]) != document(new["PolicyDocument"]):
            versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
            spare = [v for v in versions if not v["IsDefaultVersion"]]
            if len(versions) >= MOST_VERSIONS:
                oldest = min(spare, key=lambda v: v["CreateDate"])["VersionId"]
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=oldest)
            iam.create_policy_version(
                PolicyArn=physical_id, PolicyDocument=document(new["PolicyDocument"]), SetAsDefault=True
            )
        for kind in HOLDERS:
            before, after = old.get(kind) or [], new.get(kind) or []
            change_holders(iam, "attach", kind, [n for n in after if n not in before], PolicyArn=physical_id)
            change_holders(iam, "detach", kind, [n for n in before if n not in after], PolicyArn=physical_id)
        policy = iam.get_policy(PolicyArn=physical_id)["Policy"]
        return Made(
            physical_id,
            {"PolicyArn": physical_id, "PolicyId": policy["PolicyId"], "DefaultVersionId": policy["DefaultVersionId"]},
        )

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        iam = context.client("iam")
        if not unless(MISSING, iam.get_policy, PolicyArn=physical_id):
            return
        for kind in HOLDERS:
            change_holders(iam, "detach", kind, properties.get(kind) or [], PolicyArn=physical_id)
        for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=physical_id)


@provides("AWS::IAM::Policy")
class InlinePolicy:
    """AWS::IAM::Policy: one inline policy, put into roles, users and groups."""

    carried = frozenset({"PolicyName", "PolicyDocument", *HOLDERS})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        physical_id = context.generated_name(128)
        with undone_by(lambda: self.delete(context, physical_id, properties)):
            self._change(context, {}, properties)
        return Made(physical_id, {"Id": physical_id})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        self._change(context, old, new)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        self._change(context, properties, {})

    def _change(self, context: Context, old: dict[str, Any], new: dict[str, Any]) -> None:
        only("AWS::IAM::Policy", new, self.carried)
        iam = context.client("iam")
        same_name = old.get("PolicyName") == new.get("PolicyName")
        for kind in HOLDERS:
            before, after = old.get(kind) or [], new.get(kind) or []
            if after:
                text = document(new["PolicyDocument"])
                change_holders(iam, "put", kind, after, PolicyName=new["PolicyName"], PolicyDocument=text)
            left = [name for name in before if name not in after or not same_name]
            if left:
                change_holders(iam, "delete", kind, left, PolicyName=old["PolicyName"])


@provides("AWS::IAM::RolePolicy")
class RolePolicy:
    """AWS::IAM::RolePolicy: one inline policy of one role."""

    carried = frozenset({"PolicyName", "RoleName", "PolicyDocument"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        physical_id = f"{properties['PolicyName']}|{properties['RoleName']}"
        return self.update(context, physical_id, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::RolePolicy", new, self.carried)
        iam = context.client("iam")
        text = document(new["PolicyDocument"])
        iam.put_role_policy(RoleName=new["RoleName"], PolicyName=new["PolicyName"], PolicyDocument=text)
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        iam = context.client("iam")
        change_holders(iam, "delete", "Roles", [properties["RoleName"]], PolicyName=properties["PolicyName"])


@provides("AWS::IAM::Group")
class Group:
    """Ref gives the group's name."""

    carried = frozenset({"GroupName", "ManagedPolicyArns", "Path", "Policies"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::IAM::Group", properties, self.carried)
        iam = context.client("iam")
        name = str(properties.get("GroupName") or context.generated_name(128))
        given = without(properties, "ManagedPolicyArns", "Policies") | {"GroupName": name}
        made = iam.create_group(**fill(iam, "CreateGroup", given, "AWS::IAM::Group"))["Group"]
        with undone_by(lambda: self.delete(context, name, properties)):
            self._grant(iam, name, {}, properties)
        return Made(name, {"Arn": made["Arn"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::Group", new, self.carried)
        iam = context.client("iam")
        if old.get("Path") != new.get("Path"):
            iam.update_group(GroupName=physical_id, NewPath=new.get("Path", "/"))
        self._grant(iam, physical_id, old, new)
        return Made(physical_id, {"Arn": iam.get_group(GroupName=physical_id)["Group"]["Arn"]})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """Members and policies that were added outside of the stack stay, and fail the deletion (DeleteConflict)."""
        iam = context.client("iam")
        self._grant(iam, physical_id, properties, {})
        unless(MISSING, iam.delete_group, GroupName=physical_id)

    def _grant(self, iam: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        """From the policies before to the policies after: what is added first, what is taken last."""
        arns_before, arns = old.get("ManagedPolicyArns") or [], new.get("ManagedPolicyArns") or []
        before = {p["PolicyName"]: document(p["PolicyDocument"]) for p in old.get("Policies") or []}
        after = {p["PolicyName"]: document(p["PolicyDocument"]) for p in new.get("Policies") or []}
        for arn in [arn for arn in arns if arn not in arns_before]:
            iam.attach_group_policy(GroupName=name, PolicyArn=arn)
        for policy, text in after.items():
            if before.get(policy) != text:
                iam.put_group_policy(GroupName=name, PolicyName=policy, PolicyDocument=text)
        for arn in [arn for arn in arns_before if arn not in arns]:
            unless(MISSING, iam.detach_group_policy, GroupName=name, PolicyArn=arn)
        for policy in [policy for policy in before if policy not in after]:
            unless(MISSING, iam.delete_group_policy, GroupName=name, PolicyName=policy)


@provides("AWS::IAM::InstanceProfile")
class InstanceProfile:
    """Ref gives the profile's name. It holds one role ("Using instance profiles")."""

    carried = frozenset({"InstanceProfileName", "Path", "Roles"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::IAM::InstanceProfile", properties, self.carried)
        iam = context.client("iam")
        name = str(properties.get("InstanceProfileName") or context.generated_name(128))
        path = {"Path": properties["Path"]} if properties.get("Path") else {}
        made = iam.create_instance_profile(InstanceProfileName=name, **path)["InstanceProfile"]
        with undone_by(lambda: self.delete(context, name, {})):
            self._fill(iam, name, [], properties.get("Roles") or [])
        return Made(name, {"Arn": made["Arn"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::IAM::InstanceProfile", new, self.carried)
        iam = context.client("iam")
        self._fill(iam, physical_id, old.get("Roles") or [], new.get("Roles") or [])
        profile = iam.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        return Made(physical_id, {"Arn": profile["Arn"]})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        iam = context.client("iam")
        self._fill(iam, physical_id, properties.get("Roles") or [], [])
        unless(MISSING, iam.delete_instance_profile, InstanceProfileName=physical_id)

    def _fill(self, iam: Any, name: str, before: list[str], after: list[str]) -> None:
        for role in [role for role in before if role not in after]:  # first: a profile holds one
            unless(MISSING, iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=role)
        for role in [role for role in after if role not in before]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
