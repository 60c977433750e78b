"""Amazon SQS: moto holds queues and messages, and answers every operation after the checks of service.py.

SQS API Reference, "CreateQueue", "SetQueueAttributes".
"""
