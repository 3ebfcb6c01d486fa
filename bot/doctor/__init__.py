"""Seeing to it that Fletcher can see: what was looked at → checks, each with what mends it. Pure."""
