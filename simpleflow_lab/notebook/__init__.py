"""The notebook face: `%simpleflow` and `%%simpleflow`, and how things look in a notebook.

Magics parse, call and display; what they call is in `commands`.
"""
