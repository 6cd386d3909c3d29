"""Every form a report can be handed over in, rendered from report.json alone: nothing is computed again here."""

from __future__ import annotations

from app.exports.export import FORMATS, ExportFormat, export_name, export_report

__all__ = ["FORMATS", "ExportFormat", "export_name", "export_report"]
