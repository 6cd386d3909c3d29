"""The store: one database and the files it names. Opened by ``Database``; see database.py."""
