"""Therapy evidence of other sources as rows of our form: one source a file, nothing merged into one score."""
