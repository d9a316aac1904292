#!/usr/bin/env python3
"""Handles the changes into a segment, in Python: here it prints them, one a line.

    python3 -m venv .venv && .venv/bin/pip install -r examples/requirements.txt
    .venv/bin/python examples/subscriber.py --topic segment-changes --segment dormant

Each change is handled at least once, a customer's changes in order. The offset is committed behind what was handled, so
it goes on where it stopped, also after `kill -9`; what was handled in the last second before that comes again. Make
`handle` take that well: keep the `change_id`s that were done, or write so that doing it again changes nothing.
"""

import argparse
import json
import signal
import sys

from confluent_kafka import Consumer, KafkaException


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": options.group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            # What we store is committed every second and when we leave; we store what is done.
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": 1000,
            **dict(setting.split("=", 1) for setting in options.client),
        }
    )
    consumer.subscribe([options.topic])
    wanted = {"dormouse-dimension": options.dimension.encode(), "dormouse-to": options.segment.encode()}
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if error := message.error():
                if error.fatal():
                    raise KafkaException(error)
                print(error, file=sys.stderr)  # the client reconnects by itself
                continue
            # The headers say whether the change concerns us; only then it is decoded.
            if wanted.items() <= dict(message.headers() or []).items():
                handle(json.loads(message.value()))
            consumer.store_offsets(message)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()  # commits, and lets the others of the group have our partitions at once


def handle(change: dict) -> None:
    """What you came for. `get` for what a later version may leave out; fields you do not know are no error."""
    conditions = (f"{was['condition']} ({was['value']})" for was in change.get("evidence", []) if was["holds"])
    fields = (
        change["effective_at"],
        change["customer_id"],
        str(change["sequence"]),
        f"{change['from'] or 'none'} -> {change['to'] or 'none'}",
        change["change_id"],
        ", ".join(conditions),
    )
    sys.stdout.write("\t".join(fields) + "\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prints the changes into a segment.")
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="segment-changes")
    parser.add_argument("--group", default="subscriber", help="instances of one group share the partitions")
    parser.add_argument("--dimension", default="behaviour")
    parser.add_argument("--segment", default="dormant", help='"" for leaving every segment')
    parser.add_argument(
        "-X", dest="client", action="append", default=[], metavar="NAME=VALUE", help="more settings of librdkafka"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
