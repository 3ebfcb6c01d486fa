"""Runbooks: Markdown that people read, and what of it can be carried out."""
