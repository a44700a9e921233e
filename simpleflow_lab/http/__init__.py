"""The embedded engine for other processes: SWF's JSON protocol over HTTP on the loopback interface.

The owner of a store serves it (`server`); other processes find it by the connection file beside the store (`client`).
"""
