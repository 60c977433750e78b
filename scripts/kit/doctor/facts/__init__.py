"""The facts that `make doctor` reads, one subject in each module: dataclasses, and a gather() that fills them.

A fact is a value, None for what AWS says is not there, or UNREAD for what these credentials may not read.
"""
