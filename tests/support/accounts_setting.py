"""What the tests of `make accounts` share: the stacks and requests that they look for."""

from __future__ import annotations

from scripts.kit.names import STUDIO_STACK, user_stack
from scripts.kit.stacks import data_science
from scripts.rehearsal.setting import DOMAIN

OTHER, IRELAND = "555555555555", "eu-west-1"
STUDIO = (STUDIO_STACK, *map(user_stack, DOMAIN.users))  # the stacks of templates 09 and 14
HOME = dict.fromkeys((*data_science.TEMPLATES, *STUDIO), "CREATE_COMPLETE")  # and of 10 to 13
STACKS = ("CreateStack", "UpdateStack", "CreateStackSet", "UpdateStackSet", "CreateStackInstances")
ONE_BY_ONE = "target_roles: one-by-one\n"
TARGET = "multi-account-deployment-target"
