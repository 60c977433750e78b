"""Programs of others against the embedded AWS: `make clients` (docs/developing/clients.md)."""
