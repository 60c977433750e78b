"""The organization: its accounts, units and delegation."""
