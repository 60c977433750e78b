"""AWS Step Functions: standard state machines that call AWS services, in JSONPath or JSONata.

AWS Step Functions API Reference, the page of each operation. language.py: the part of the Amazon States Language that
is supported, jsonata_checks.py: its states with JSONata; run.py: one execution; paths.py and queries.py: one state with
JSONPath or JSONata; tasks.py: tasks; functions.py: those that call a Lambda function; jobs.py: those that run a job and
wait for its end.
"""
