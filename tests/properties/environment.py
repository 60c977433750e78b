"""The environment file."""

from __future__ import annotations

from pathlib import Path

import yaml

from scripts.kit.console import UserError
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import load
from tests.properties.kinds import Kind, said
from tests.properties.mutations import YAML_ODDITIES, anything, as_json, as_yaml
from tests.support import EXAMPLE_SETTINGS

FULL = """\
region: us-east-1
administrator: delegated
accounts: {management: '999999999999', data_science: '111111111111'}
units: {staging: multi-account-deployment/staging, production: multi-account-deployment/production}
new_accounts:
  - {name: models-staging, email: models-staging@example.com, stage: staging}
invited_accounts:
  - {id: '222222222222', stage: production}
target_roles: stack-set
regions: {staging: [us-east-1], production: [us-east-1, eu-west-1]}
roles:
  suffix: {staging: staging, production: prod}
  access: OrganizationAccountAccessRole
tester_external_id: multi-account-tester
studio: {domain_id: d-abcdefghijkl, execution_roles: [service-role/AmazonSageMaker-ExecutionRole]}
catalog:
  portfolio: SageMaker Organization Templates
  product: Multi Account Deployment
  owner: ML platform
  principals: ['arn:aws:iam::111111111111:role/X']
  share_with: [ou-ab12-data3333, organization, '123456789012']
notifications: {approval_email: a@example.com}
publishing: {to: both}
source:
  provider: connection
  connection_arn: arn:aws:codeconnections:us-east-1:111111111111:connection/12345678-1234-1234-1234-123456789012
  repository_owner: my-organization
images: {repository_prefix: team}
"""
ALONE = """\
region: us-east-1
administrator: self-managed
accounts: {data_science: '111111111111'}
targets: {staging: ['333333333333', '444444444444'], production: ['222222222222']}
tester_external_id: multi-account-tester
studio: {execution_roles: [Scientist]}
"""
TEXTS = [EXAMPLE_SETTINGS, FULL, ALONE]
ALIASES = "\n".join(["a0: &a0 [x, x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30))])


def check(content: bytes, folder: Path) -> None:
    file = folder / "environment.yaml"
    file.write_bytes(content)
    try:
        assert isinstance(load(file), Settings)
    except UserError as error:
        said(str(error))


KIND = Kind(
    "environment",
    anything(
        as_yaml,
        as_json,
        bases=[yaml.safe_load(text) for text in TEXTS],
        texts=TEXTS,
        oddities=[*YAML_ODDITIES, f"x\n{ALIASES}", "*a29"],
    ),
    check,
)
