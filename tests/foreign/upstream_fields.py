"""Upstream simpleflow 0.36's own encoder and decoder of fields, run by it and never imported here.

python upstream_fields.py encode < values      the fields that it writes, for a line of JSON each
python upstream_fields.py decode < fields      the values that it reads, a line of JSON each
"""

import json
import sys

from simpleflow import format

for line in sys.stdin:
    if sys.argv[1] == "encode":
        print(format.result(json.loads(line)))
    else:
        print(json.dumps(format.decode(line.rstrip("\n"), use_proxy=False)))
