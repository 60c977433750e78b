"""AWS CloudTrail: the event history of an account and Region, read from the record of requests.

CloudTrail API Reference, "LookupEvents"; CloudTrail User Guide, "Working with CloudTrail event history" (management
events alone), "CloudTrail record contents". A request's access key and parameters are not in the record.
"""
