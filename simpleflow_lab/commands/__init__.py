"""The commands of shell and notebook, defined once. Each returns a record and prints nothing."""
