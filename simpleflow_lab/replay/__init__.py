"""Histories and workflows in, decisions out. No I/O, no clock, no randomness."""
