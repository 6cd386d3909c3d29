"""Question sets in their published forms, asked of any backend, resumable, with intervals: ``radomica eval run``."""
