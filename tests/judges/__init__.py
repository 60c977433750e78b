"""Judges: they hold the kit to what AWS says, not to what its own rehearsal says (docs/developing/judges.md)."""
