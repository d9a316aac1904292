#!/usr/bin/env python3
"""Turns the UCI "Online Retail" order lines into Dormouse's events: one purchase or refund an invoice.

    scripts/online_retail.py online-retail.csv.zst data/online-retail.jsonl.zst

Needs Python 3.9 and the `zstd` command, nothing else. The input is the data set as CSV (plain, or compressed with zstd),
with the columns InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country. The same input
gives the same events, byte for byte. data/README.md says what was decided and why.
"""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


def read(path):
    """The lines of the CSV as dictionaries."""
    if path.endswith(".zst"):
        data = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    else:
        with open(path, "rb") as file:
            data = file.read()
    rows = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))
    if rows.fieldnames != COLUMNS:
        sys.exit(f"{path}: expected the columns {','.join(COLUMNS)}, found {rows.fieldnames}")
    return rows


def decimal(digits):
    """A number that JSON shows with the same value: no digit may get lost on the way through a float."""
    exact = Decimal(digits)
    number = int(exact) if exact == exact.to_integral_value() else float(exact)
    if Decimal(repr(number)) != exact:
        sys.exit(f"{digits} cannot be written without loss")
    return number


def item(row):
    return {
        "product_id": row["StockCode"],
        "quantity": int(row["Quantity"]),
        "unit_price": decimal(row["UnitPrice"]),
    }


def invoices(rows, counts):
    """Invoices with a customer, in time order; those of one minute as they come in the file."""
    found = {}
    for row in rows:
        counts["lines read"] += 1
        customer = row["CustomerID"].removesuffix(".0")
        if not customer:
            counts["lines without a customer, left out"] += 1
            continue
        number = row["InvoiceNo"]
        time = datetime.strptime(row["InvoiceDate"], "%Y-%m-%d %H:%M:%S").strftime("%Y-%m-%dT%H:%M:%SZ")
        event = found.setdefault(
            number,
            {
                "event_id": number,
                "kind": "refund" if number.startswith("C") else "purchase",
                "customer_id": customer,
                "time": time,
                "currency": "GBP",
                "country": row["Country"],
                "items": [],
            },
        )
        if (event["customer_id"], event["country"]) != (customer, row["Country"]):
            sys.exit(f"invoice {number} has more than one customer or country: this needs a decision")
        if time != event["time"]:
            counts["lines of a later minute than their invoice's first"] += 1
            event["time"] = min(event["time"], time)
        line = item(row)
        counts["lines of price 0"] += line["unit_price"] == 0
        counts["lines of negative quantity"] += line["quantity"] < 0
        event["items"].append(line)
    # Sorting is stable: equal times stay in the order of the file.
    return sorted(found.values(), key=lambda event: event["time"])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    counts = Counter()
    events = invoices(read(source), counts)
    lines = "".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events)
    subprocess.run(["zstd", "-19", "-qf", "-o", target], input=lines.encode("utf-8"), check=True)

    counts["lines written as items"] = sum(len(event["items"]) for event in events)
    for event in events:
        counts[f"{event['kind']}s"] += 1
    counts["events"] = len(events)
    counts["customers"] = len({event["customer_id"] for event in events})
    for name in sorted(counts):
        print(f"{counts[name]:8}  {name}", file=sys.stderr)
    print(f"{events[0]['time']} to {events[-1]['time']}", file=sys.stderr)


if __name__ == "__main__":
    main()
