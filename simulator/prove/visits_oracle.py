"""What must be true of a visit, told from its transcript alone. Imports nothing of the product."""

from collections import Counter
from collections.abc import Iterator

from simulator.prove.visits_transcript import Visit

MOST_TAPS = 3
MOST_WITH_MODE = 4
"""All taps, those included that switch a mode on."""
MOST_PRESSES = 6
"""Keys to the ticket of the first service, the one included that wakes the guide."""
MIDDLE_PX = 960
SECRETS = ("vip", "贵宾", "尊")
"""What no paper, screen, board or loudspeaker may say of a visitor."""


def judge(visit: Visit, *, ends: str, segment: str) -> list[str]:
    """A sentence for each thing that is wrong. ``ends``: with a "slip", or with the number on the
    "screen"; ``segment`` is where the branch must have put the ticket.
    """
    if "lost" in visit.facts:
        return [visit.facts["lost"]]
    wrong = [
        *_ticket(visit, ends, segment),
        *_steps(visit),
        *_secret(visit),
        *_facts(visit),
    ]
    return [f"{visit.name}: {sentence}" for sentence in wrong]


def _ticket(visit: Visit, ends: str, segment: str) -> Iterator[str]:
    shown = sorted({number for _, number in visit.numbers})
    if len(shown) != 1:
        yield f"the screen showed the numbers {shown}, one was expected"
    held = [slip["number"] for slip in visit.slips if slip["complete"]]
    if held != (shown if ends == "slip" else []):
        yield f"slips {held} for the numbers {shown}"
    kinds = Counter(kind for kind, _ in visit.events)
    issued = [data["number"] for kind, data in visit.events if kind == "ticket.issued"]
    if issued != shown:
        yield f"journalled {issued}, shown {shown}"
    if ends == "slip" and kinds["ticket.printed"] != 1:
        yield f"{kinds['ticket.printed']} slips are journalled as printed"
    kept, paper = {"slip": ("printed", "printed"), "screen": ("shown", "not_printed")}[ends]
    if visit.paper != [kept] * len(shown):
        yield f"the kiosk keeps {visit.paper} of the paper, expected {kept}"
    stored = [(row["number"], row["segment"], row["paper"]) for row in visit.tickets]
    expected = [(number, segment, paper) for number in shown]
    if stored != expected:
        yield f"the branch has {stored}, expected {expected}"


def _steps(visit: Visit) -> Iterator[str]:
    taps = visit.ticket_taps
    if visit.presses:
        yield from _keys(visit)
    elif not 1 <= taps <= MOST_TAPS:
        yield f"{taps} taps to the ticket, at most {MOST_TAPS}"
    if taps + visit.mode_taps > MOST_WITH_MODE:
        yield f"{taps + visit.mode_taps} taps with those for the mode, at most {MOST_WITH_MODE}"
    for step in visit.steps:
        if step.tap and not step.spoken:
            yield f"{step.tap} has nothing that can be read aloud"
        for text in step.cut:
            yield f"{text!r} does not fit on {step.screen}"


def _keys(visit: Visit) -> Iterator[str]:
    """Of who presses the keys of the audio guide, and hears."""
    if visit.taps:
        yield f"touched the screen, {visit.taps} times"
    if not 1 <= visit.ticket_presses <= MOST_PRESSES:
        yield f"{visit.ticket_presses} keys to the ticket, at most {MOST_PRESSES}"
    shown = sorted({number for _, number in visit.numbers})
    told = visit.facts.get("number_heard", "")
    if [told] != shown:
        yield f"the number heard is {told!r}, the screen showed {shown}"
    for step in visit.steps:
        if step.keys and not step.heard:
            yield f"nothing was heard after {step.keys} on {step.screen}"


def _secret(visit: Visit) -> Iterator[str]:
    told = {
        "the slip": [line for slip in visit.slips for line in slip["lines"]],
        "the screen": [text for step in visit.steps for text in step.texts],
        "the board": [visit.board],
        "the loudspeaker": visit.heard,
        "the audio guide": [text for step in visit.steps for text in step.heard],
    }
    for place, texts in told.items():
        for secret in SECRETS:
            if any(secret in text.lower() for text in texts):
                yield f"{place} says {secret!r}"
    for _, number in visit.numbers[:1]:
        if number not in visit.board:
            yield f"{number} was called and is not on the board"
        if not visit.heard:
            yield f"{number} was called and nothing was heard"


def _facts(visit: Visit) -> Iterator[str]:
    facts = visit.facts
    shown = sorted({number for _, number in visit.numbers})
    if facts.get("shown_again", shown) != shown:
        yield f"the code, used again, shows {facts['shown_again']}, not {shown}"
    if "stored_offline" in facts:
        if facts["stored_offline"]:
            yield f"the branch was away and has {facts['stored_offline']}"
        if facts["journalled_offline"] != shown:
            yield f"journalled while the branch was away: {facts['journalled_offline']}"
        if facts["stored_after"] != shown:
            yield f"the branch is back and has {facts['stored_after']}, not {shown}"
    for number in facts.get("shown_while_full", ()):
        yield f"the disk was full and the screen showed {number}"
    for number in facts.get("journalled_while_full", ()):
        yield f"the disk was full and {number} was issued"
    for highest in facts.get("highest_px", ()):
        if highest < MIDDLE_PX:
            yield f"a control is {MIDDLE_PX - highest} px above the middle of the screen"
