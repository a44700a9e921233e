"""A program that makes a boto3 client, uses it, and forks processes that go on with it. Run by `test_forked_programs`.

Each process asks about a domain of its own, and exits with 1 if it is told of another one, or of nothing.
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import boto3
import botocore.config

PROCESSES = 4
REQUESTS = 50


def ask(client: Any, number: int) -> None:
    """Ask again and again about one domain."""
    name = f"domain-{number}"
    for _ in range(REQUESTS):
        told = client.describe_domain(name=name)["domainInfo"]["name"]
        if told != name:
            sys.exit(f"asked about {name}, told of {told}")


def main() -> None:
    """Run it."""
    patient = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=30)
    client = boto3.client("swf", config=patient)
    for number in range(PROCESSES):
        client.register_domain(name=f"domain-{number}", workflowExecutionRetentionPeriodInDays="1")
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=ask, args=(client, number)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(max(abs(process.exitcode or 0) for process in processes))


if __name__ == "__main__":
    main()
