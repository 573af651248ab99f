"""A simulated loudspeaker at the far end of the player: a program that takes a WAV and plays it in
time, and the ear that heard it.

bench = SpeakerBench(folder, speed=60.0)
bench.plug_in()           # the branch's configuration says program:…/speaker
...
bench.heard()             # what was said to its end, when it began and ended
bench.begun()             # what was begun, also what was cut off
bench.break_it("hang")    # or "die" in the middle, "missing"; bench.mend()

It does not model: acoustics, a device that plays garbage, the buffers of a sound card.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hal.sound import CHIME_TONES_HZ, Sound, from_wav, tone_share

HEARD_FILE = "heard.jsonl"
BEGUN_FILE = "begun.jsonl"
FAULT_FILE = "fault"
FAULTS = ("hang", "die", "missing")
HANGS_S = 600.0
CHIME_SHARE = 0.5
"""So much of what is heard first is the first tone of the chime."""


class Heard(msgspec.Struct, frozen=True):
    """One announcement as the hall heard it. Times are CLOCK_MONOTONIC, ms; ``said`` has a
    language and a text a line; ``complete``: it was not cut off.
    """

    said: str
    began_ms: int
    ended_ms: int
    length_s: float
    peak: float
    chime: bool
    complete: bool


class Begun(msgspec.Struct, frozen=True):
    """The first moment of a sound. ``at_ms`` is CLOCK_MONOTONIC; ``said`` as in Heard."""

    said: str
    at_ms: int
    peak: float
    length_s: float

    @property
    def text(self) -> str:
        """What was said, without its language."""
        return self.said.partition(" ")[2]


@dataclass(slots=True)
class SpeakerBench:
    """Plugs the speaker in at ``folder``; it plays ``speed`` times as fast as people hear."""

    folder: Path
    speed: float = 1.0

    @property
    def address(self) -> str:
        """What branch.toml says."""
        return f"program:{self.folder / 'speaker'}"

    def plug_in(self) -> None:
        """Put the player there."""
        script = self.folder / "speaker"
        run = f"'{sys.executable}' -m hal.sim.speaker '{self.folder}' {self.speed}"
        script.write_text(f"#!/bin/sh\nexec {run}\n", "utf-8")
        script.chmod(0o755)

    def break_it(self, fault: str) -> None:
        """From the next sound on it hangs, dies in the middle or is not there. Raises
        ValueError.
        """
        if fault not in FAULTS:
            raise ValueError(f"{fault!r}; expected one of {', '.join(FAULTS)}")
        (self.folder / FAULT_FILE).write_text(fault, "ascii")
        if fault == "missing":
            (self.folder / "speaker").unlink()

    def mend(self) -> None:
        """It works again."""
        (self.folder / FAULT_FILE).unlink(missing_ok=True)
        self.plug_in()

    def heard(self) -> list[Heard]:
        """Every sound that was not silence, in order."""
        return [msgspec.json.decode(line, type=Heard) for line in self._lines(HEARD_FILE)]

    def begun(self) -> list[Begun]:
        """Every sound that was not silence, also one that was cut off, in order."""
        return [msgspec.json.decode(line, type=Begun) for line in self._lines(BEGUN_FILE)]

    def _lines(self, name: str) -> list[bytes]:
        path = self.folder / name
        return path.read_bytes().splitlines() if path.exists() else []


def play(folder: Path, speed: float, sound: Sound) -> int:
    """Play it in time, note what was heard; returns the exit status."""
    fault_file = folder / FAULT_FILE
    fault = fault_file.read_text("ascii") if fault_file.exists() else ""
    began_ms = time.monotonic_ns() // 1_000_000
    peak, length_s = round(sound.peak, 4), round(sound.length_s, 3)
    if peak:
        _write(folder / BEGUN_FILE, Begun(sound.said, began_ms, peak, length_s))
    time.sleep(sound.length_s / speed / (2 if fault else 1))
    if fault == "hang":
        time.sleep(HANGS_S)
    heard = Heard(
        said=sound.said,
        began_ms=began_ms,
        ended_ms=time.monotonic_ns() // 1_000_000,
        length_s=length_s,
        peak=peak,
        chime=tone_share(sound, CHIME_TONES_HZ[0], 0.2) > CHIME_SHARE,
        complete=not fault,
    )
    if peak:
        _write(folder / HEARD_FILE, heard)
    return 1 if fault else 0


def _write(path: Path, row: msgspec.Struct) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, msgspec.json.encode(row) + b"\n")
    os.close(fd)


if __name__ == "__main__":
    sys.exit(play(Path(sys.argv[1]), float(sys.argv[2]), from_wav(sys.stdin.buffer.read())))
