"""The providers of the resource types that the embedded AWS supports: one module for each service.

A class is the provider of a type by the decorator provides (localaws/cloudformation/provider.py); shapes.py holds what
providers share. CloudFormation's own types are several modules, in the package cloudformation.
"""
