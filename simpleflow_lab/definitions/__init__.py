"""What authors have defined in this process: its registries, and which definition is an earlier one made again."""
