"""Upstream simpleflow 0.36's own encoder and decoder of fields, run by it and never imported here.

python upstream_fields.py encode < value.json      the field that it writes
python upstream_fields.py decode < fields          the values that it reads, a line of JSON each
"""

import json
import sys

from simpleflow import format

if sys.argv[1] == "encode":
    print(format.result(json.load(sys.stdin)))
else:
    for line in sys.stdin:
        print(json.dumps(format.decode(line.rstrip("\n"), use_proxy=False)))
