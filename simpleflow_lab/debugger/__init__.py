"""The replay debugger: a recorded history, walked through decision by decision with the workflow's code.

`steps` is what the others stand on: one step a decision. Nothing here decides, sends, or runs an activity.
"""
