"""Lambda's Service object; the operations are in the modules of this package."""

from __future__ import annotations

from localaws.service import Service

aws_lambda = Service("lambda", invalid="ValidationException")
