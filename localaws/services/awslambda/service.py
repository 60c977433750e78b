"""Lambda: functions that really run (AWS Lambda API Reference, by the names of the operations).

- lambda_functions: CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, UpdateFunctionCode,
  UpdateFunctionConfiguration, DeleteFunction, reserved concurrency, tags
- lambda_versions: PublishVersion, ListVersionsByFunction, aliases, settings of asynchronous invocation
- lambda_policy: AddPermission, RemovePermission, GetPolicy
- lambda_invoke: Invoke; lambda_run runs the handler in a process of its own

Python runtimes run, on the Python that runs the rehearsal; every other runtime is refused by name. Not played:
layers, container images, VPCs, file systems, function URLs, event source mappings, code signing, SnapStart,
provisioned concurrency, X-Ray.
"""

from __future__ import annotations

from localaws.services.awslambda import functions as lambda_functions
from localaws.services.awslambda import invoke as lambda_invoke
from localaws.services.awslambda import policy as lambda_policy
from localaws.services.awslambda import versions as lambda_versions
from localaws.services.awslambda.state import aws_lambda

__all__ = ["aws_lambda", "lambda_functions", "lambda_invoke", "lambda_policy", "lambda_versions"]
