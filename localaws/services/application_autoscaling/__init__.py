"""Application Auto Scaling: scalable targets and scaling policies. moto answers its operations.

What a request needs beside its own action: access.py, from "Permissions validation for Application Auto Scaling API
calls on target resources" (Application Auto Scaling User Guide).
"""
