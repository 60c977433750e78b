"""Amazon SNS: moto holds topics and subscriptions, and answers its operations after the checks of service.py.

SNS API Reference, "CreateTopic", "SetTopicAttributes", "Subscribe".
"""
