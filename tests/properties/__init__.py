"""Whatever is read is taken or refused in words: no traceback, no hang, no memory without bound.

kinds.py lists the kinds of input; each has a generator of inputs and a check of one. test_properties.py runs a few
hundred of each, fuzz.py as many as are asked for.
"""
