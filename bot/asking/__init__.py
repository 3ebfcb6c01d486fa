"""Asking: the declarative checks of a runbook that are not about LiveKit, looked at once before a plan is made."""
