"""AWS KMS: moto holds keys and aliases, and answers its operations after the checks of service.py.

KMS API Reference, "CreateAlias", "ScheduleKeyDeletion".
"""
