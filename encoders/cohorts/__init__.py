"""Cohorts: many patients' tables in the field's formats -> one form that training reads (see cohort.py, store.py)."""
