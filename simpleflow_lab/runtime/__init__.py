"""The loop: deciders and activity workers between a service and the code that people wrote."""
