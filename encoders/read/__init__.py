"""Readers: files to a Patient."""
