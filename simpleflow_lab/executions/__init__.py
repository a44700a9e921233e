"""The requests of `Lab` and `Execution` to a service: an execution is started, listed, read, waited for."""
