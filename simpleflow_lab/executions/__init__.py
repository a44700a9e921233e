"""What `Lab` and `Execution` ask a service for: how an execution is started, listed, read, waited for."""
