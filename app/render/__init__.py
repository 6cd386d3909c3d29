"""Renderers: Report -> HTML. Everything is drawn from the report alone."""

from __future__ import annotations

from app.render.html import render_html, write_report_html

__all__ = ["render_html", "write_report_html"]
