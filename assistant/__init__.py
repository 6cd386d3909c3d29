"""Evidence to a checked report."""
