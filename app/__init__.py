"""Command line, API, page and renderers; no science."""
