"""Amazon SWF as data: event types, histories, decisions, request shapes, limits.

Rule: it imports nothing of ours but exceptions, and runs nothing.
"""
