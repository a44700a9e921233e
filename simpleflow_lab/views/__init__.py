"""Views of histories: tables, listings, figures, HTML. Pure functions of a `History`; nothing here reads a clock.

`history_fold` folds a history into one record per attempt, and grows with it; every other module shows these records.
`history_views` has the views as methods of an execution. pandas and plotly are imported by the modules that need them,
never by this one.

Rule: a history is data from anybody. Values are bounded and escaped for the place where they appear, and viewing never
runs code.
"""
