"""SageMaker and SageMaker Runtime: their operations stand in the modules of this package, one for each subject."""

from __future__ import annotations

from localaws.service import Service

sagemaker = Service("sagemaker", invalid="ValidationException")
sagemaker_runtime = Service("sagemaker-runtime")
