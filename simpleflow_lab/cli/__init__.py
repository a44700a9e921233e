"""The `simpleflow` command: it runs a command of `commands` and prints its record."""
