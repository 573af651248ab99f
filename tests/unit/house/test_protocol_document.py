"""docs/protocol-mqtt.md speaks of the feed as it is: its examples are golden, its table is the
code's.
"""

import re
from pathlib import Path

from sync import topics
from sync.messages import EVENT_TYPES

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/protocol-mqtt.md").read_text("utf-8")


def test_every_example_is_a_golden_event() -> None:
    golden = set((ROOT / "tests/golden/events.jsonl").read_text("utf-8").splitlines())
    (block,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    examples = block.splitlines()
    assert len(examples) >= 4
    assert set(examples) <= golden


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


def test_the_changelog_names_every_event() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in EVENT_TYPES if name not in changelog] == []
