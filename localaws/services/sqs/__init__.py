"""Amazon SQS: moto holds queues and messages, and answers its operations after the checks of service.py.

SQS API Reference, "CreateQueue", "SetQueueAttributes".
"""
