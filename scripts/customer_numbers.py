#!/usr/bin/env python3
"""Gives each customer their number as a profile attribute, so that rules can compare customers by it.

    zstd -dc data/online-retail.jsonl.zst | scripts/customer_numbers.py | zstd -19 -o data/online-retail-numbers.jsonl.zst

Reads events, one JSON object a line, and writes one profile event for each customer, by number, at the time of the
first event of all. The customer ids have to be integers.
"""

import json
import sys


def main():
    first = None
    numbers = set()
    for line in sys.stdin:
        event = json.loads(line)
        first = event["time"] if first is None else min(first, event["time"])
        numbers.add(int(event["customer_id"]))
    for number in sorted(numbers):
        profile = {"kind": "profile", "customer_id": str(number), "time": first, "attributes": {"number": number}}
        print(json.dumps(profile, separators=(",", ":")))


main()
