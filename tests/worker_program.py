"""A process that serves a store: it runs the commands that it is sent, one a line, and prints the value of each.

worker_program.py STORE SERVE
"""

import json
import os
import sys
import threading

from simpleflow_lab import Lab, Workflow, activity


@activity.with_attributes(name="programs.where", version="1", task_list="programs-etl")
def where():
    return os.getpid()


class Where(Workflow):
    name = "programs-where"
    version = "1"
    task_list = "programs-decisions"

    def run(self, count):
        return [os.getpid(), *(future.result for future in [self.submit(where) for _ in range(count)])]


def main() -> None:
    with Lab(sys.argv[1], serve=sys.argv[2]) as lab:
        names = {"lab": lab, "Where": Where, "threading": threading}
        for line in sys.stdin:
            print(json.dumps(eval(line, names)), flush=True)


if __name__ == "__main__":
    main()
