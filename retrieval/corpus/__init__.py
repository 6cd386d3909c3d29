"""One source of passages or therapy rows per file. Built-in knowledge: builtin.py."""
