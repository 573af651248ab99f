"""Sends one command to a counter and prints the answer (needs paho-mqtt):

python commander.py HOST PORT COUNTER COMMAND [FIELD=VALUE ...]
python commander.py 127.0.0.1 1883 2 call-next
python commander.py 127.0.0.1 1883 2 transfer service=B back=true
"""

import json
import sys
import threading
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BRANCH, ME = "branch-1", "desk-1"  # the server's node, and a name of our own
TRIES, ANSWER_S = 3, 2.0

if len(sys.argv) < 5:
    sys.exit(__doc__)
host, port, counter, name, *fields = sys.argv[1:]


def value(text):
    try:
        return json.loads(text)  # a number, true, false
    except ValueError:
        return text


pairs = (field.partition("=") for field in fields)
command = {"type": name} | {field: value(text) for field, _, text in pairs}
key = f"{ME}:{uuid.uuid4().hex}"  # one key an intent: asked again with it, it is done once
ask = {"type": "counter.command", "key": key, "counter": int(counter), "command": command}
ready, answered = threading.Event(), threading.Event()
result = {}


def arrived(client, userdata, message):
    if message.properties.CorrelationData == key.encode():
        result.update(json.loads(message.payload))
        answered.set()


client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=ME, protocol=mqtt.MQTTv5)
client.on_connect = lambda c, *_: c.subscribe(f"bq/1/{ME}/res", qos=1)
client.on_subscribe = lambda *_: ready.set()
client.on_message = arrived
try:
    client.connect(host, int(port))
except (OSError, ValueError) as error:
    sys.exit(f"no MQTT broker at {host}:{port}: {error}")
client.loop_start()
ready.wait(ANSWER_S)
properties = Properties(PacketTypes.PUBLISH)
properties.ResponseTopic = f"bq/1/{ME}/res"
properties.CorrelationData = key.encode()
properties.MessageExpiryInterval = 10
for _ in range(TRIES):
    client.publish(f"bq/1/{BRANCH}/cmd", json.dumps(ask), qos=1, properties=properties)
    if answered.wait(ANSWER_S):
        break
client.disconnect()
if not result:
    sys.exit(f"no answer of {BRANCH} in time; it may be asked again with the same key")
print(json.dumps(result, ensure_ascii=False))
sys.exit(0 if result["ok"] else 1)
