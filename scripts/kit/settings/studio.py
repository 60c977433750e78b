"""The section `studio` of the environment file: the data scientists' roles, and the domain that they work in."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.kit.names import STUDIO_ROLE
from scripts.kit.settings.model import Domain, Studio
from scripts.kit.settings.sections import ACCOUNT, Section
from scripts.kit.settings.yaml_lines import LinesOfMapping

# Patterns, with the API reference that states each.
ROLE_NAME = r"[a-zA-Z0-9_+=,.@-]{1,64}"  # IAM, roleNameType
ROLE = rf"([!-~]+/)?{ROLE_NAME}"  # a role's name, with its path where it has one
ROLE_ARN = rf"arn:aws[a-z-]*:iam::{ACCOUNT}:role/{ROLE}"
DOMAIN_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"  # SageMaker, DomainName and UserProfileName
VPC, SUBNET = r"vpc-[0-9a-f]{8,17}", r"subnet-[0-9a-f]{8,17}"  # Amazon EC2 User Guide, "Resource IDs": 8 or 17 digits
MOST_SUBNETS = 16  # of a domain (SageMaker, CreateDomain, SubnetIds)
DOMAIN_ID = r"d-(-*[a-z0-9]){1,61}"  # SageMaker, DomainId


def check_accounts(section: Section, key: str, arns: Sequence[str], data_science: str) -> None:
    """Complain about the ARNs of roles and users of other accounts."""
    for number, one in enumerate(arns):
        if data_science and one.startswith("arn:") and one.count(":") == 5 and one.split(":")[4] != data_science:
            kind, account = one.split(":")[5].split("/")[0], one.split(":")[4]
            section.complain_item(key, number, f"is a {kind} of account {account}, not of accounts.data_science")


def read_studio(section: Section, data_science: str) -> Studio:
    """The data scientists' roles; that of a domain which `make accounts` makes is known."""
    inner = section.section("domain")
    made = read_domain(inner) if isinstance(section.node.get("domain"), LinesOfMapping) else None
    form = "a role's name or ARN"
    roles = section.texts("execution_roles", f"{ROLE_ARN}|{ROLE}", form, required=made is None)
    domain = section.text(
        "domain_id", f"({DOMAIN_ID})?", "the id of a Studio domain, such as d-abcdefghijkl", default=""
    )
    section.finish()
    check_accounts(section, "execution_roles", roles, data_science)
    names = [STUDIO_ROLE] if made else []
    names += [role.split(":role/")[-1] for role in roles]
    return Studio(tuple(dict.fromkeys(names)), domain, made)


def read_domain(section: Section) -> Domain:
    user = "a user's name in Studio: letters, digits and hyphens, such as ada"
    domain = Domain(
        section.text("name", DOMAIN_NAME, "1 to 63 letters, digits or hyphens", default="data-science"),
        section.text("vpc_id", VPC, "the id of a VPC, such as vpc-0a1b2c3d4e5f67890"),
        section.texts("subnet_ids", SUBNET, "the id of a subnet, such as subnet-0a1b2c3d4e5f67890", required=True),
        section.texts("users", DOMAIN_NAME, user, required=True),
    )
    section.finish()
    if len(domain.subnet_ids) > MOST_SUBNETS:
        section.complain("subnet_ids", f"lists {len(domain.subnet_ids)} subnets, and a domain takes {MOST_SUBNETS}")
    lower = [name.lower() for name in domain.users]
    for number, name in enumerate(domain.users):
        if name and name.lower() in lower[:number]:
            section.complain_item("users", number, f"{name} is there already: SageMaker takes no account of case")
    return domain
