"""The check of an installation: `make doctor`.

reader.py asks AWS and never writes; facts/ reads one subject in each module; snapshot.py gathers the facts, each once;
findings.py says what a check is and what it yields; checks/ decides what is wrong, one subject in each module;
following.py says which findings follow from which; report.py prints them. Each imports only those before it.
docs/developing/add-a-doctor-check.md shows how to add a check.
"""
