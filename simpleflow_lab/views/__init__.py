"""Histories looked at: tables, listings, figures, HTML. Pure functions of a `History`; nothing here reads a clock.

`attempts` folds a history into one record per attempt; every other module shows those. A history is data that nobody
vouches for: values are bounded and escaped for the place where they appear, and looking never runs code. pandas and
plotly are imported by the modules that need them, never by this one.
"""
