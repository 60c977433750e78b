"""Timings of the kit, for people: no test asserts them."""
