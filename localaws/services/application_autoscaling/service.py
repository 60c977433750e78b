"""Application Auto Scaling's Service object."""

from __future__ import annotations

from localaws.service import EVERY, Service

application_autoscaling = Service("application-autoscaling", moto=EVERY, invalid="ValidationException")
