"""Amazon CloudWatch Logs: moto answers every operation after the check of service.py.

CloudWatch Logs API Reference, "PutRetentionPolicy".
"""
