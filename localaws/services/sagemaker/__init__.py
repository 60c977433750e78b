"""SageMaker: model registry, training, pipelines, endpoints, projects. One module for each subject."""

from __future__ import annotations

import importlib
from pathlib import Path

from localaws.services.sagemaker.base import runtime, sagemaker

for _module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    importlib.import_module(f"{__name__}.{_module.stem}")

__all__ = ["runtime", "sagemaker"]
