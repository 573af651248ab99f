"""Prints each event of a branch's feed once: python consumer.py HOST PORT (needs paho-mqtt)."""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

seen = set()  # a real consumer keeps the ids in the transaction that stores what it counted


def connected(client, userdata, flags, reason, properties):
    print(f"broker {host}:{port}: {reason}", file=sys.stderr, flush=True)
    client.subscribe("bq/1/+/evt", qos=1)


def arrived(client, userdata, message):
    try:
        content = json.loads(message.payload)  # one event, or an array of them
        for event in content if isinstance(content, list) else [content]:
            if event["id"] not in seen:  # a node sends again what it is not sure of
                seen.add(event["id"])
                print(event["src"], event["seq"], event["type"], event["data"], flush=True)
    except (ValueError, TypeError, KeyError) as error:
        print(f"{message.topic}: not an event: {error!r}", file=sys.stderr, flush=True)


host, port = sys.argv[1:3] if len(sys.argv) > 2 else ("127.0.0.1", "1883")
client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.on_connect, client.on_message = connected, arrived
try:
    client.connect(host, int(port))
except (OSError, ValueError) as error:
    sys.exit(f"no MQTT broker at {host}:{port}: {error}; give its address: consumer.py HOST PORT")
client.loop_forever()
