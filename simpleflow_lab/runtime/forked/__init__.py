"""Activities in processes of their own: one is forked for each task, and ends with it."""
