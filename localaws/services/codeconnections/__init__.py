"""AWS CodeConnections: connections to a git provider, and the provider itself, on this machine.

AWS CodeConnections API Reference (and AWS CodeStar Connections, its former name), the page of each operation;
Developer Tools console User Guide, "Create a connection": a connection is PENDING until its handshake is completed
(complete_handshake). Not supported: hosts of installed providers.

The provider holds bare repositories below the embedded AWS's folder (create_repository). git pushes to them, and each
push reaches the listeners, as a provider's webhook reaches AWS.
"""
