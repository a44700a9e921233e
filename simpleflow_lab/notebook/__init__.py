"""The notebook face: `%simpleflow` and `%%simpleflow`, and the HTML of our objects in a notebook.

Magics parse, call and display; the commands that they call are in `commands`.
"""
