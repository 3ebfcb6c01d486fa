"""Slack as a door: hears people, places orders and decisions, and shows runs where they were asked for."""
