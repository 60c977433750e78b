"""The Service objects of SageMaker and SageMaker Runtime; the operations are in the modules of this package."""

from __future__ import annotations

from localaws.service import Service

sagemaker = Service("sagemaker", invalid="ValidationException")
sagemaker_runtime = Service("sagemaker-runtime", invalid="ValidationError")
