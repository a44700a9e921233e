"""Processes of deciders and activity workers that a supervisor starts, watches and stops."""
