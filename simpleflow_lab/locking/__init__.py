"""Locks that hold across processes, and locks that a fork leaves behind."""
