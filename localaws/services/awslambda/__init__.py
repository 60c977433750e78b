"""AWS Lambda: functions whose handlers really run, in a process of their own with the execution role's credentials.

AWS Lambda API Reference, the page of each operation:
- functions.py: functions, their code and configuration, reserved concurrency, tags
- versions.py: versions, aliases, settings of asynchronous invocation
- policy.py: resource policies
- invoke.py: Invoke, at once or later; run.py runs the handler

Python runtimes run on the Python that runs the embedded AWS; every other runtime is refused by name. Not supported:
layers, container images, VPCs, file systems, function URLs, event source mappings, code signing, SnapStart,
provisioned concurrency, X-Ray.
"""
