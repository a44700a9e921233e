"""Upstream's module paths below `swf`."""
