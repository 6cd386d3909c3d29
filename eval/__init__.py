"""Numbers with intervals; started only by app/cli.py."""
