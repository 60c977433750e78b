"""AWS KMS: moto holds keys and aliases, and answers every operation after the checks of service.py.

KMS API Reference, "CreateAlias", "ScheduleKeyDeletion".
"""
