"""Forked activities: each runs in a process that is forked for its task and ends with it."""
