"""The embedded AWS: an AWS endpoint on this machine, for rehearsals and tests.

- server.py, gateway.py, wire.py, cbor.py: requests come in, and their answers go out
- clients.py, inside.py: the same for clients within this process, by a shorter way
- registry.py, service.py, calls.py: the services that are supported, and how one declares itself
- services/<service>/, cloudformation/: one package for each service
- authorization/: every request is decided by the real policies
- cloud.py: state, credentials and background work; moto_bridge.py: moto, which holds the state of many services
- variables.py: what moto would read of its user's environment is taken away before moto is loaded
- containers/: what runs as a process of its own, training and model servers

It knows nothing of the kit: what AWS publishes outside of its APIs is handed to it (Cloud.published).
"""

from __future__ import annotations

import os

from localaws.variables import take_away

take_away(os.environ)
