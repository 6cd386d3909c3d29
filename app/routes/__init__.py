"""The HTTP API's operations, one subject a file: each has ``add_<subject>(app, workbench)``."""
