"""CodeBuild's Service object; the operations are in builds.py and reports.py."""

from __future__ import annotations

from localaws.service import Service

codebuild = Service("codebuild", invalid="InvalidInputException")
