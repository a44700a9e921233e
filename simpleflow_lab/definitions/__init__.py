"""The definitions of authors in this process: its registries, and which definition is an earlier one made again."""
