"""The checks of `make doctor`, one subject in each module; every.py lists the modules."""
