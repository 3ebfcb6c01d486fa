"""Thinking ahead: a runbook and all that was seen → everything that would happen, before anything does. Pure."""
