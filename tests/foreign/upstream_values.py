"""Upstream simpleflow 0.36's own JSON, run by it and never imported here.

It answers a line of JSON to each line of JSON: to `["write", pickled]` the text that upstream writes for the value and
its hash as the arguments of an idempotent task, or `null`; to `["read", text]` the value that it reads, pickled.
"""

import base64
import hashlib
import json
import pickle
import sys

from simpleflow.utils import json_dumps, json_loads_or_raw

for line in sys.stdin:
    what, given = json.loads(line)
    if what == "read":
        answer = base64.b64encode(pickle.dumps(json_loads_or_raw(given))).decode()
    else:
        value = pickle.loads(base64.b64decode(given))
        try:
            text = json_dumps({"args": [value], "kwargs": {}})
            answer = [json_dumps(value), hashlib.md5(text.encode()).hexdigest()]
        except (TypeError, ValueError):
            answer = None
    print(json.dumps(answer), flush=True)
