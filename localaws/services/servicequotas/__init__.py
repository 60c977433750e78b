"""Service Quotas: the quotas that the kit needs.

ListServiceQuotas and GetServiceQuota (Service Quotas API Reference, the page of each operation). Names, codes and
values of CloudFormation's quotas: AWS General Reference, "AWS CloudFormation endpoints and quotas". SageMaker has one
quota "ml.m5.large for endpoint usage" for each instance type of hosting; every account's values are its own, so here
each begins with INSTANCES, and the codes (which are opaque) are made from the names. Not supported: quotas of other
services.
"""
