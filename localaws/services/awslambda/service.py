"""Lambda: functions that really run (AWS Lambda API Reference, by the names of the operations).

- functions.py: CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, UpdateFunctionCode,
  UpdateFunctionConfiguration, DeleteFunction, reserved concurrency, tags
- versions.py: PublishVersion, ListVersionsByFunction, aliases, settings of asynchronous invocation
- policy.py: AddPermission, RemovePermission, GetPolicy
- invoke.py: Invoke; run.py runs the handler in a process of its own

Python runtimes run, on the Python that runs the rehearsal; every other runtime is refused by name. Not played:
layers, container images, VPCs, file systems, function URLs, event source mappings, code signing, SnapStart,
provisioned concurrency, X-Ray.
"""

from __future__ import annotations

from localaws.service import Service

aws_lambda = Service("lambda")
