"""What the tests of `make accounts` share: the stacks and requests that they look for."""

from __future__ import annotations

from scripts.kit.stacks import data_science

OTHER, IRELAND = "555555555555", "eu-west-1"
HOME = dict.fromkeys(data_science.TEMPLATES, "CREATE_COMPLETE")  # the stacks of templates 10 to 13
STACKS = ("CreateStack", "UpdateStack", "CreateStackSet", "UpdateStackSet", "CreateStackInstances")
ONE_BY_ONE = "target_roles: one-by-one\n"
TARGET = "multi-account-deployment-target"
