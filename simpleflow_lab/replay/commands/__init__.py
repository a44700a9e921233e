"""Commands: what a workflow's code asks of SWF, one module for each kind of task."""
