"""The embedded engine for other processes: SWF's JSON protocol over HTTP on the loopback interface."""
