"""The `simpleflow` command: commands in a shell, their records printed."""
