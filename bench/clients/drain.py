"""Receive, acknowledge, forget: what the queue itself can give. Arguments: URL, queue, messages, batch."""

import json
import sys
import time
from typing import Any

import pika


def main(url: str, queue: str, count: int, batch: int) -> None:
    """Empties the queue with pika alone, a batch acknowledged at once."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2 * batch)
    got = 0

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal got
        got += 1
        if got % batch == 0 or got == count:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if got == count:
            channel.stop_consuming()

    begun = time.monotonic()
    channel.basic_consume(queue, on_message)
    channel.start_consuming()
    connection.close()
    print(json.dumps({"seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
