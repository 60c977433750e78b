"""The AWS services that the embedded AWS supports, one package for each.

Every package has the same few files: __init__.py says what it supports and from which AWS page; service.py holds the
Service object; state.py what the service remembers; access.py what authorization asks of it; further modules are
named by their subject. registry.py finds the packages.
"""
