"""AWS STS: role sessions and the caller's identity (AWS STS API Reference, AssumeRole, GetCallerIdentity)."""
