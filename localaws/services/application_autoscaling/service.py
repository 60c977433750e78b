"""Application Auto Scaling's operations: moto answers them."""

from __future__ import annotations

from localaws.service import EVERY, Service

application_autoscaling = Service("application-autoscaling", moto=EVERY, invalid="ValidationException")
