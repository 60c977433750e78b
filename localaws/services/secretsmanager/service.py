"""Secrets Manager's Service object."""

from __future__ import annotations

from localaws.service import EVERY, Service

secretsmanager = Service("secretsmanager", moto=EVERY, invalid="ValidationException")
