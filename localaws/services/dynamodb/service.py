"""DynamoDB's operations: moto answers them."""

from __future__ import annotations

from localaws.service import EVERY, Service

dynamodb = Service("dynamodb", moto=EVERY)
