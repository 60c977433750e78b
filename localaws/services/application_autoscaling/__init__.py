"""Application Auto Scaling: scalable targets and scaling policies. moto answers every operation.

What a request needs beside its own action: access.py, from "Permissions validation for Application Auto Scaling API
calls on target resources" (Application Auto Scaling User Guide).
"""
