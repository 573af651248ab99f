"""The table of topics: names are built and read back, and nothing unsafe gets into one."""

import pytest
from hypothesis import given, strategies as st

from sync import topics
from sync.topics import BOARD, CMD, EVT, NODE_PATTERN, QUEUE, SRV_STATE, STATE, Topic, node_of

ALL = [value for value in vars(topics).values() if isinstance(value, Topic)]
nodes = st.from_regex(NODE_PATTERN, fullmatch=True)


@given(nodes)
def test_a_node_is_found_in_its_topics(node: str) -> None:
    for topic in ALL:
        if "{node}" in topic.pattern:
            assert node_of(topic.of(node=node)) == node


def test_names_and_filters() -> None:
    assert EVT.of(node="kiosk-1") == "bq/1/kiosk-1/evt"
    assert CMD.everyone == "bq/1/+/cmd"
    assert (QUEUE.of(service="A"), QUEUE.everyone) == ("bq/1/pub/queue/A", "bq/1/pub/queue/+")
    assert BOARD.of(zone="hall") == "bq/1/pub/board/hall"
    assert SRV_STATE.of() == SRV_STATE.everyone == "bq/1/srv/state"


def test_names_are_told_apart() -> None:
    assert len({topic.pattern for topic in ALL}) == len(ALL)
    assert all(topic.qos == 1 for topic in ALL)
    # What may be missed is kept for whoever comes later; a ledger's message never is.
    assert STATE.retain
    assert not EVT.retain


@pytest.mark.parametrize(
    "name", ["", "a/b", "+", "#", "a b", "-a", "a" * 33, "ä", "a\n", "a\0", "pub", "srv"]
)
def test_what_is_unsafe_is_no_name(name: str) -> None:
    assert NODE_PATTERN.match(name) is None
    with pytest.raises(ValueError, match="cannot stand in a topic"):
        EVT.of(node=name)


@pytest.mark.parametrize(
    "topic",
    ["", "bq", "bq/1/kiosk-1", "bq/1/kiosk-1/evt/x", "bq/2/kiosk-1/evt", "xx/1/kiosk-1/evt",
     "bq/1/Kiosk/evt", "bq/1//evt", "bq/1/srv/state", "bq/1/pub/alert"],
)  # fmt: skip
def test_other_topics_have_no_node(topic: str) -> None:
    assert node_of(topic) is None


@given(st.text())
def test_reading_any_topic_is_harmless(topic: str) -> None:
    node = node_of(topic)
    assert node is None or NODE_PATTERN.match(node)
