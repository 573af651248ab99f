"""Meeting a pad at its port, whatever it does now, and meeting it again after a restart.

A pad at its prompt is spoken to by a RawRepl. A pad that runs its program takes Ctrl-C for data:
it is greeted over its own link, and brought to its prompt by MAINTAIN, sealed under its key, or by
two keys held at power-up. After a restart the port is away for a second or more and comes back
under the same by-path name, and then the program runs and there is no prompt.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from firmware.flash.errors import FlashError, LinkDied, NoPad, PortBusy
from firmware.flash.greet import (
    ANSWER_S,
    GLANCE_S,
    HELD,
    Greeted,
    KeyOf,
    NoGreeting,
    PadLine,
    greet,
)
from firmware.flash.repl import RawRepl

RETURN_S = 20.0
"""Longest time from a restart to the port's return and the first answer; a Pico takes 1 to 3 s."""
CONFIRM_S = 45.0
"""Longest trial: ten good seconds, and two starts that were not good before."""
PAUSE_S = 0.1
SILENT_S = 4.0
"""How long a port that is back may say nothing before its prompt is looked for."""
AGAIN = "unplug the pad, plug it in again, and run the same command again"


def meet(port: Path, key_of: KeyOf) -> Greeted | RawRepl:
    """Who is at a port: a running pad's greeting, or an open prompt. Raises NoPad, PortBusy."""
    try:
        return greet(port, GLANCE_S, key_of)
    except NoGreeting:
        pass
    try:
        return RawRepl(port)
    except NoPad:
        return greet(port, ANSWER_S, key_of)


@contextmanager
def at_prompt(port: Path, key_of: KeyOf, met: Greeted | RawRepl | None) -> Iterator[RawRepl]:
    """A pad at its prompt, brought there if it runs its program; ``met`` is what `meet` found.

    A pad that was brought there and on which nothing came to an end starts its program again, and
    is waited for: the next command meets a pad, not a port that is going. Raises NoPad, PortBusy,
    LinkDied.
    """
    met = met or meet(port, key_of)
    brought = isinstance(met, Greeted)
    repl = bring(port, met, key_of) if isinstance(met, Greeted) else met
    try:
        yield repl
    except LinkDied:
        raise
    except BaseException as error:
        if brought and repl.is_open:
            repl.reset()
            if isinstance(error, FlashError):
                with suppress(FlashError):
                    wait_for_pad(port, key_of)
        raise
    finally:
        repl.close()


def bring(port: Path, greeted: Greeted, key_of: KeyOf) -> RawRepl:
    """The prompt of a pad that runs its program. Raises NoPad, LinkDied."""
    if not greeted.proved:
        raise NoPad(
            f"{port}: {greeted.unique_id} runs {greeted.version} and takes no command from here"
            f" ({greeted.trust})",
            HELD,
        )
    with PadLine(port, key_of) as line:
        line.greet()
        line.maintain()
    return wait_for_prompt(port)


def wait_for_prompt(port: Path, within_s: float = RETURN_S) -> RawRepl:
    """The prompt of a pad that restarts into it. Raises LinkDied, NoPad."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return RawRepl(port)
        except (NoPad, LinkDied, PortBusy) as error:
            if time.monotonic() > deadline:
                raise _gone(port, within_s, error) from error
        Event().wait(PAUSE_S)


def wait_for_pad(port: Path, key_of: KeyOf, within_s: float = RETURN_S) -> None:
    """Wait until a port is there and a prompt or a program answers. Raises LinkDied."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            met = meet(port, key_of)
        except (NoPad, LinkDied, PortBusy) as error:
            if time.monotonic() > deadline:
                raise _gone(port, within_s, error) from error
        else:
            if isinstance(met, RawRepl):
                met.close()
            return
        Event().wait(PAUSE_S)


def wait_for_program(port: Path, key_of: KeyOf, within_s: float = RETURN_S) -> Greeted:
    """The greeting of a pad that restarts into its program.

    Raises LinkDied if the port stays away, FlashError if its prompt answers instead.
    """
    began = time.monotonic()
    back_at = 0.0
    while True:
        try:
            return greet(port, ANSWER_S, key_of)
        except (NoPad, LinkDied, PortBusy) as error:
            now = time.monotonic()
            if not isinstance(error, NoGreeting):
                back_at = 0.0
            elif not back_at:
                back_at = now - ANSWER_S
            if back_at and now - back_at > SILENT_S:
                _refuse_prompt(port)
            if now - began > within_s:
                raise _gone(port, within_s, error) from error
        Event().wait(PAUSE_S)


def wait_for_confirmation(port: Path, key_of: KeyOf, within_s: float = CONFIRM_S) -> Greeted:
    """The greeting of a restarted pad whose firmware is no longer on trial: it confirmed itself,
    or the one before came back. Raises LinkDied, FlashError.
    """
    deadline = time.monotonic() + within_s
    while True:
        greeted = wait_for_program(port, key_of)
        try:
            with PadLine(port, key_of) as line:
                greeted = line.greet()
                while greeted.trying and time.monotonic() < deadline:
                    line.stay(0.25)
                    greeted = line.greet()
        except (NoPad, LinkDied, PortBusy):
            if time.monotonic() < deadline:
                continue  # it restarted in its trial
            raise
        if greeted.trying:
            raise FlashError(
                f"{port}: {greeted.version} runs, not confirmed by itself in {within_s:.0f} s",
                "run `lobby flash selftest`; after three starts the version before comes back",
            )
        return greeted


def _refuse_prompt(port: Path) -> None:
    """Raise FlashError if a prompt answers where a program should run."""
    try:
        RawRepl(port).close()
    except (NoPad, LinkDied, PortBusy):
        return
    raise FlashError(
        f"{port}: restarted, and stays at its prompt: no slot is good, or two keys are down",
        "let go of the keys and run the same command again; see `lobby flash list`",
    )


def _gone(port: Path, within_s: float, last: FlashError) -> LinkDied:
    after = f"{within_s:.0f} s after the restart"
    if port.exists():
        return LinkDied(f"{port}: no answer {after}; {last.what}", AGAIN)
    return LinkDied(f"{port}: has not come back {after}", AGAIN)
