"""Application Auto Scaling: scalable targets and scaling policies. moto answers its operations.

- registration.py: which variants of SageMaker endpoints may become targets
- targets.py: what SageMaker refuses while they are
- absent.py: what is refused without a target, and what goes with one
- scaling.py: the alarms of target tracking, and what an alarm sets off
- schedules.py: scheduled actions, and what they do when they are due

What a request needs beside its own action: access.py, from "Permissions validation for Application Auto Scaling API
calls on target resources" (Application Auto Scaling User Guide).
"""
