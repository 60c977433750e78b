"""AWS Step Functions: standard state machines that call AWS services.

AWS Step Functions API Reference, the page of each operation. language.py: the part of the Amazon States Language that
is supported; run.py: one execution; functions.py: tasks that call a Lambda function.
"""
