"""Services that speak SWF: the protocol, and the ways to reach one."""
