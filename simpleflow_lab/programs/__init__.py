"""Programs run for an activity: command lines, and functions in other interpreters."""
