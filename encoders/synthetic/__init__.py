"""A synthetic radiogenomic cohort in real formats."""
