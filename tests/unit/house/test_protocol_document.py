"""docs/protocol-mqtt.md speaks of the feed as it is: its examples are golden, its table is the
code's.
"""

import json
import re
from pathlib import Path
from typing import get_args

from sync import topics
from sync.messages import EVENT_TYPES, Event, SessionMessage

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/protocol-mqtt.md").read_text("utf-8")


def test_every_example_is_golden_and_every_message_has_one() -> None:
    golden = {
        line
        for name in ("events.jsonl", "session.jsonl")
        for line in (ROOT / "tests/golden" / name).read_text("utf-8").splitlines()
    }
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    examples = [line for block in blocks for line in block.splitlines()]
    assert set(examples) <= golden
    shown = {json.loads(line)["type"] for line in examples}
    assert {str(kind.__struct_config__.tag) for kind in get_args(SessionMessage)} <= shown
    assert len(shown & set(EVENT_TYPES)) >= 9


def test_the_table_of_topics_is_the_code() -> None:
    told = {
        name: (
            int(qos),
            retained == "yes",
            None if expires == "never" else int(expires.split()[0]),
        )
        for name, qos, retained, expires in re.findall(
            r"^\| `(\S+)` \| [^|]+ \| (\d) \| (yes|no) \| ([^|]+?) \|", DOCUMENT, re.MULTILINE
        )
    }
    built = {
        topic.pattern: (topic.qos, topic.retain, topic.expiry_s)
        for topic in vars(topics).values()
        if isinstance(topic, topics.Topic)
    }
    assert told == built


def test_the_envelope_is_the_code() -> None:
    table = DOCUMENT.partition("| field | type | meaning |")[2].partition("\n\n")[0]
    told = {
        name
        for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert told == set(Event.__struct_fields__)


def test_the_changelog_names_every_event() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in EVENT_TYPES if name not in changelog] == []
