"""Amazon CloudWatch Logs: moto answers its operations after the check of service.py.

CloudWatch Logs API Reference, "PutRetentionPolicy".
"""
