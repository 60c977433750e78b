"""DynamoDB's Service object."""

from __future__ import annotations

from localaws.service import EVERY, Service

dynamodb = Service("dynamodb", moto=EVERY)
