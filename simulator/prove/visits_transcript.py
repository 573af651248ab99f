"""What is written down of a visit; files and pages are made of it. Pure."""

from typing import Any

import msgspec


class Step(msgspec.Struct):
    """One thing that a visitor did and what the screen was then. ``tap`` is the control's id, ""
    where nothing was touched, ``spoken`` what is read aloud of it; ``taps`` counts all up to here;
    ``cut`` are texts that did not fit. ``picture`` is a file's name, "" for none. ``keys`` are
    those of the audio guide that were pressed, ``heard`` is what it said.
    """

    words: str
    tap: str
    spoken: str
    taps: int
    screen: str
    language: str
    texts: list[str]
    cut: list[str]
    picture: str
    keys: list[str] = []
    heard: list[str] = []


class Visit(msgspec.Struct):
    """What is known of one visit from outside. ``mode_taps`` switched a mode on, ``ticket_taps``
    are the others up to the number on the screen; who presses keys touches nothing, and
    ``ticket_presses`` are those up to there; ``numbers`` are (screen, number) as they were
    seen; ``paper`` is what the kiosk keeps of its slips, ``tickets`` are the branch's rows,
    ``heard`` is what the hall's loudspeaker said, ``facts`` are the script's own.
    """

    name: str
    title: str
    steps: list[Step] = []
    taps: int = 0
    mode_taps: int = 0
    ticket_taps: int = -1
    presses: int = 0
    ticket_presses: int = 0
    numbers: list[tuple[str, str]] = []
    slips: list[dict[str, Any]] = []
    events: list[tuple[str, dict[str, Any]]] = []
    paper: list[str] = []
    tickets: list[dict[str, Any]] = []
    board: str = ""
    heard: list[str] = []
    facts: dict[str, Any] = {}
