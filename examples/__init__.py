"""Workflows to read, run and change. Each says at its top how to run it."""
