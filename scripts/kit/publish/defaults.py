"""The bundle as it is published here: what environment.yaml says are the only values of the product's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.bundle.installation import with_defaults
from scripts.kit.connect import Connection
from scripts.kit.console import UserError, explain
from scripts.kit.organization import members
from scripts.kit.settings.model import Settings
from scripts.kit.settings.where import UNIT_ID


def installed(bundle: pack.Bundle, settings: Settings, connection: Connection) -> pack.Bundle:
    """The bundle as it is published here, with the values of environment.yaml as the only ones of its parameters."""
    return with_defaults(bundle, settings, connection.region, lambda unit, key: unit_default(unit, key, connection))


def looked_up(bundle: pack.Bundle, settings: Settings) -> Iterator[str]:
    """The OUs whose ids Organizations gave, in words: another id, of an OU made again, is another version."""
    declared = pack.product_parameters(bundle)
    for stage in settings.stages:
        named, id = settings.units.of(stage), str(declared.get(stage.unit_parameter, {}).get("Default", ""))
        if named != id:
            yield f"units.{stage.key}: {named} is {id} in the organization"


def unit_default(unit: str, key: str, connection: Connection) -> str:
    """The id of a unit that may be named by its path; UserError where these credentials cannot look it up."""
    if not unit or re.fullmatch(UNIT_ID, unit):
        return unit
    try:
        return members.unit_id(connection.client("organizations"), unit, key)
    except ClientError as error:
        raise UserError(
            f"{key}: the product allows this OU alone, and its id cannot be looked up here: {explain(error)}. "
            "Write the id itself, such as ou-ab12-cdefgh34, or run this where it can be looked up"
        ) from error
