"""Resource Groups Tagging API: the tagged resources of an account and Region, whichever service they belong to.

Resource Groups Tagging API Reference: GetResources, GetTagKeys, GetTagValues, TagResources, UntagResources. The
services are those of listed.py; a stack's tags change with UpdateStack alone here. A resource without tags is not
listed, even where it once had some. Compliance with tag policies is not supported.
"""
