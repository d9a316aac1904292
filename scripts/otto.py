#!/usr/bin/env python3
"""Turns sessions of the OTTO recommender systems data set into Dormouse's events.

    scripts/otto.py sessions.jsonl data/otto-sample.jsonl

A click becomes a `browse`, a cart a `cart_add`, the orders of one session at one moment one `purchase` with a line for
each article. The data set has no prices: lines carry a product and count 0. Needs Python 3.9, nothing else; the same
input gives the same events, byte for byte.
"""

import json
import sys

KINDS = {"clicks": "browse", "carts": "cart_add"}


def events(session):
    """The session's events, in order; an order's articles gathered."""
    customer = f"otto-{session['session']}"
    orders = {}
    for number, action in enumerate(session["events"]):
        product = str(action["aid"])
        event = {"event_id": f"{customer}-{number}", "kind": "purchase", "customer_id": customer, "time": action["ts"]}
        if action["type"] in KINDS:
            event["kind"] = KINDS[action["type"]]
            event["product_id"] = product
            yield event
        elif action["type"] == "orders":
            if action["ts"] not in orders:
                orders[action["ts"]] = event | {"items": []}
                yield orders[action["ts"]]
            orders[action["ts"]]["items"].append({"product_id": product})
        else:
            sys.exit(f"session {session['session']}: no event is called {action['type']}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        found = [event for line in file for event in list(events(json.loads(line)))]
    found.sort(key=lambda event: event["time"])
    with open(target, "w", encoding="utf-8") as file:
        for event in found:
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
    kinds = [event["kind"] for event in found]
    for kind in sorted(set(kinds)):
        print(f"{kinds.count(kind):8}  {kind}", file=sys.stderr)


if __name__ == "__main__":
    main()
