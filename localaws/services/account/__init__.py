"""AWS Account Management: the Regions that an account has enabled.

Account Management API Reference, GetRegionOptStatus, ListRegions, EnableRegion, DisableRegion; Reference Guide, "Enable
or disable AWS Regions in your account". Not supported, and refused: another account's id (AccountId).
"""
