"""Migrations of the store's schema, run when it is opened; oldest first in ``versions``."""
