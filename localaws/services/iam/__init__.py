"""AWS IAM: moto holds roles, users and policies, and answers its operations but two.

SimulatePrincipalPolicy (IAM API Reference; IAM User Guide, "IAM policy testing with the IAM policy simulator") gives
the answer of the evaluator that decides every request. As on AWS, the simulation takes the entity's own policies, its
boundary and the organization's service control policies, but not the policies of resources, and it knows only the
condition keys that it is given. details.py shows every entity of an account (GetAccountAuthorizationDetails); checks.py
refuses what IAM refuses and moto takes.
"""
