"""The examination of an installation: `make doctor`.

snapshot.py gathers the facts once; the modules of checks look at them and yield what is wrong; findings.py
holds what every check is registered with. A new finding is one function with a @finding above it, in the
module of its subject, and one case in tests/kit/doctor/test_doctor.py.
"""
