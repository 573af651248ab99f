"""One pad from its port to its row in the registry, and many at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware.flash.bundle import Bundle
from firmware.flash.errors import FlashError, NotAllowed, NotTrusted
from firmware.flash.greet import HELD, Greeted
from firmware.flash.keys import PadKeys
from firmware.flash.meeting import (
    at_prompt,
    meet,
    wait_for_confirmation,
    wait_for_pad,
    wait_for_program,
)
from firmware.flash.pads import (
    Found,
    Progress,
    erase,
    flash,
    foreign,
    look,
    plan,
    provision,
    refuse_older,
    refuse_wrong,
    rollback,
    verify,
)
from firmware.flash.ports import PortLock
from firmware.flash.registry import Registry
from firmware.flash.repl import RawRepl
from firmware.flash.selftest import Ask, Result, SelfTest, Tell


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new pad goes, and by which pairing code."""

    counter: int
    role: str
    code: str
    replace: bool = False
    keep: bool = False
    """A pad that has a place keeps it (a batch that is run again)."""


Wipe = Callable[[list[str]], bool]
"""Files that another program left on the board -> whether to format it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one port: ``found`` at its prompt, ``greeted`` if it runs, or ``error``."""

    port: Path
    found: Found | None = None
    greeted: Greeted | None = None
    error: FlashError | None = None
    revoked: bool = False

    @property
    def unique_id(self) -> str:
        """The pad's, "" where none answered."""
        said = self.found or self.greeted
        return said.unique_id if said else ""

    @property
    def state(self) -> str:
        """One word or two for the table."""
        if self.revoked:
            return "revoked"
        if self.greeted is not None:
            return self.greeted.state
        return self.found.state if self.found is not None else "error"

    def table(self) -> dict[str, Any]:
        """For --json."""
        if self.error is not None:
            return {
                "port": str(self.port),
                "ok": False,
                "status": self.error.status,
                "what": self.error.what,
                "next": self.error.next_step,
            }
        said = self.found or self.greeted
        table = said.table() if said else {}
        at = "prompt" if self.found else "program"
        return {"port": str(self.port), "ok": True} | table | {"state": self.state, "at": at}


class Workshop:
    """A technician's folder (registry, keys, locks) and who works there."""

    def __init__(self, data: Path, operator: str, kiosk_keys: Path | None = None) -> None:
        self.data = data
        self.operator = operator
        self.kiosk_keys = kiosk_keys
        self.registry = Registry(data / "registry.db")
        self.keys = PadKeys(data / "pads", kiosk_keys)

    def close(self) -> None:
        """Close the registry."""
        self.registry.close()

    def lock(self, port: Path) -> PortLock:
        """The lock of a port."""
        return PortLock(self.data / "locks", port)

    def give_place(self, repl: RawRepl, found: Found, place: Place) -> str | None:
        """Provision a pad: key, counter, role; the unique id of the pad that it replaces.

        Raises BadUse, NotAllowed.
        """
        self.registry.use_code(place.code, place.counter, found.unique_id)
        replaced = self.registry.provisioned(
            found.unique_id, place.counter, place.role, self.operator, replace=place.replace
        )
        if replaced:
            self.keys.revoke(replaced)
        provision(repl, self.keys.get_or_make(found.unique_id), place.counter, place.role)
        return replaced

    def flash(
        self,
        port: Path,
        bundle: Bundle,
        place: Place | None,
        progress: Progress,
        wipe: Wipe | None = None,
        anew: bool = False,
    ) -> Greeted:
        """Everything that a pad needs to run a bundle, from whatever it does now to its proved and
        confirmed greeting. ``wipe`` is asked whether the board is to be formatted first; ``anew``:
        a pad that has all it needs is done again.

        Raises FlashError.
        """
        unique_id = ""
        try:
            with self.lock(port):
                progress("look", 0, bundle.size)
                met = meet(port, self.keys.get)
                if isinstance(met, Greeted):
                    unique_id = met.unique_id
                    place = self._kept(place, unique_id)
                    if not self._is_done(met, bundle, place):
                        refuse_older(met.version, bundle)
                if anew or not isinstance(met, Greeted) or not self._is_done(met, bundle, place):
                    with at_prompt(port, self.keys.get, met) as repl:
                        unique_id = self._write(repl, bundle, place, progress, wipe)
                progress("restart", bundle.size, bundle.size)
                greeted = self._confirmed(port, unique_id, progress, bundle)
        except FlashError as error:
            self.note("flash", port, unique_id, f"failed: {error.what}")
            raise
        self.registry.flashed(unique_id, bundle.version, bundle.hash, self.operator)
        self.note("flash", port, unique_id, f"{bundle.path.name} {bundle.version} {bundle.hash}")
        return greeted

    def _is_done(self, greeted: Greeted, bundle: Bundle, place: Place | None) -> bool:
        """Whether a running pad proved that it has this bundle and its place."""
        row = self.registry.pad(greeted.unique_id)
        return (
            greeted.proved
            and greeted.hash == bundle.hash
            # A kiosk's own pad is in no registry here: it keeps the place that it has.
            and (row is None or (row.state == "active" and row.role == greeted.role))
            and (place is None or self._has(greeted.unique_id, place))
        )

    def _has(self, unique_id: str, place: Place) -> bool:
        """Whether the registry has given this very place to a pad."""
        row = self.registry.pad(unique_id)
        return (
            row is not None
            and row.state == "active"
            and (row.counter, row.role) == (place.counter, place.role)
            and self.keys.get(unique_id) is not None
        )

    def _kept(self, place: Place | None, unique_id: str) -> Place | None:
        """None for a place that a pad with one of its own does not need."""
        row = self.registry.pad(unique_id)
        has_one = row is not None and row.state == "active" and self.keys.get(unique_id)
        return None if place is not None and place.keep and has_one else place

    def _write(
        self,
        repl: RawRepl,
        bundle: Bundle,
        place: Place | None,
        progress: Progress,
        wipe: Wipe | None,
    ) -> str:
        """Bring place and firmware onto a pad at its prompt, and restart it; its unique id."""
        found = look(repl)
        place = self._kept(place, found.unique_id)
        refuse_wrong(found, bundle)
        if place is None and self.keys.get(found.unique_id) is None:
            raise NotAllowed(
                f"{repl.port}: there is no key for the pad {found.unique_id}",
                "give it a counter: --counter N --code CODE",
            )
        if wipe is not None and wipe(foreign(repl)):
            progress("erase", 0, bundle.size)
            erase(repl)
            self.note("erase", repl.port, found.unique_id, "formatted")
            found = look(repl)
        if place is not None and not self._has(found.unique_id, place):
            progress("provision", 0, bundle.size)
            self.give_place(repl, found, place)
        key = self.keys.get_or_make(found.unique_id)
        # A pad whose flash was reformatted has lost its key: it gets the same one again.
        row = self.registry.pad(found.unique_id)
        if row is not None and row.state == "active":
            provision(repl, key, row.counter, row.role)
        flash(repl, bundle, key, progress)
        repl.reset()
        return found.unique_id

    def _confirmed(
        self, port: Path, unique_id: str, progress: Progress, bundle: Bundle
    ) -> Greeted:
        """The greeting of a restarted pad that runs a bundle for good. Raises FlashError."""
        wait_for_program(port, self.keys.get)
        progress("self-test", bundle.size, bundle.size)
        greeted = wait_for_confirmation(port, self.keys.get)
        row = self.registry.pad(unique_id)
        if greeted.unique_id != unique_id or not greeted.proved:
            raise FlashError(
                f"{port}: {greeted.unique_id} answers after the restart ({greeted.trust}),"
                f" expected {unique_id} under its key",
                "leave every pad at its port while this runs, then run the same command again",
            )
        if greeted.hash != bundle.hash:
            raise FlashError(
                f"{port}: went back to {greeted.version} ({greeted.hash}), expected"
                f" {bundle.version} ({bundle.hash}): the new firmware did not confirm itself",
                "run `lobby flash selftest`, then flash again; if it stays so, swap the pad",
            )
        if row is not None and row.state == "active" and greeted.role != row.role:
            raise FlashError(
                f"{port}: runs as {greeted.role}, the registry says {row.role}",
                "run `lobby flash provision` with the role that it is to have",
            )
        return self.placed(greeted)

    def placed(self, greeted: Greeted) -> Greeted:
        """A greeting with the counter that the registry has for the pad."""
        row = self.registry.pad(greeted.unique_id)
        return greeted if row is None else replace(greeted, counter=row.counter)

    @contextmanager
    def prompt(self, port: Path, act: str, restart: bool = True) -> Iterator[RawRepl]:
        """A locked pad at its prompt for one act; then it restarts, and is waited for.

        A failure is logged. Raises FlashError.
        """
        try:
            with self.lock(port):
                with at_prompt(port, self.keys.get, None) as repl:
                    yield repl
                    restarts = restart and repl.value("_have('/main.py') != ''")
                    if restarts:
                        repl.reset()
                if restarts:
                    wait_for_pad(port, self.keys.get)
        except FlashError as error:
            self.note(act, port, "", f"failed: {error.what}")
            raise

    def verify(self, port: Path, bundle: Bundle) -> Greeted | Found:
        """Whether a pad runs a bundle: by its proof, or by hashes computed at its prompt.

        Raises FlashError.
        """
        with self.lock(port):
            met = meet(port, self.keys.get)
            if not isinstance(met, Greeted):
                with met:
                    return verify(met, bundle)
        if not met.proved:
            raise NotAllowed(
                f"{port}: {met.unique_id} says {met.version} ({met.hash}), and cannot prove it"
                f" ({met.trust})",
                "give it its key by `lobby flash provision`, or look at it in safe mode",
            )
        if met.hash != bundle.hash or met.trying:
            trial = ", on trial" if met.trying else ""
            raise FlashError(
                f"{port}: runs {met.version} ({met.hash}{trial}), expected {bundle.version}"
                f" ({bundle.hash})",
                "run `lobby flash pad`, see `lobby flash log`",
            )
        return self.placed(met)

    def selftest(
        self, port: Path, tell: Tell, ask: Ask, wait_s: float
    ) -> tuple[str, list[Result]]:
        """Go through a pad's parts with a person, then through its link; its unique id and what
        came out, which is kept in the registry. Raises FlashError.
        """
        with self.prompt(port, "selftest", restart=False) as repl:
            found = look(repl)
            results = SelfTest(repl, tell, ask, wait_s).run(found.role or "rating")
            repl.reset()
            tell("The pad starts again.")
            results.append(self._tested_link(port))
        rows = [(item.name, item.ok, item.said) for item in results]
        self.registry.tested(found.unique_id, rows, self.operator)
        bad = [item.name for item in results if not item.ok]
        outcome = f"failed: {', '.join(bad)}" if bad else f"passed: {len(results)} parts"
        self.note("selftest", port, found.unique_id, outcome)
        return found.unique_id, results

    def _tested_link(self, port: Path) -> Result:
        try:
            greeted = wait_for_program(port, self.keys.get)
        except FlashError as error:
            return Result("link", False, error.what)
        return Result("link", greeted.proved, "" if greeted.proved else greeted.trust)

    def hand_keys(self) -> list[str]:
        """Bring keys and marks to the kiosk's folder, if there is one; what was changed.

        Raises BadUse.
        """
        if self.kiosk_keys is None:
            return []
        return PadKeys(self.kiosk_keys).install(self.keys.table())

    def rollback(self, port: Path) -> Greeted:
        """Go back to the other slot and see it run. Raises FlashError."""
        with self.prompt(port, "rollback", restart=False) as repl:
            found = rollback(repl)
            repl.reset()
            greeted = wait_for_confirmation(port, self.keys.get)
            if greeted.hash != found.hash:
                raise FlashError(
                    f"{port}: runs {greeted.version}, expected {found.version}",
                    "run `lobby flash list`; flash a bundle",
                )
        self.registry.flashed(found.unique_id, found.version, found.hash, self.operator)
        self.note("rollback", port, found.unique_id, f"{found.version} {found.hash}")
        return self.placed(greeted)

    def note(self, act: str, port: Path, unique_id: str, outcome: str) -> None:
        """Add a row to the log."""
        self.registry.note(act, str(port), unique_id, outcome, self.operator)

    def batch(
        self,
        ports: list[Path],
        bundle: Bundle,
        places: dict[Path, Place],
        progress: Callable[[Path, str, int, int], None],
    ) -> list[Outcome]:
        """Flash many ports at once; one that fails does not stop the others."""

        def one(port: Path) -> Outcome:
            def tell(step: str, done: int, size: int) -> None:
                progress(port, step, done, size)

            # A connection of its own: threads of one connection would share their transactions.
            own = Workshop(self.data, self.operator, self.kiosk_keys)
            try:
                greeted = own.flash(port, bundle, places.get(port), tell)
            except FlashError as error:
                progress(port, "failed", 0, bundle.size)
                return Outcome(port, error=error)
            finally:
                own.close()
            progress(port, "done", bundle.size, bundle.size)
            return Outcome(port, greeted=greeted)

        with ThreadPoolExecutor(max_workers=max(len(ports), 1)) as pool:
            return list(pool.map(one, ports))

    def look(self, port: Path) -> Outcome:
        """What is at a port; writes nothing."""
        try:
            with self.lock(port):
                met = meet(port, self.keys.get)
                if isinstance(met, Greeted):
                    return self._known(Outcome(port, greeted=self.placed(met)), met.unique_id)
                with met:
                    found = look(met)
                return self._known(Outcome(port, found), found.unique_id)
        except FlashError as error:
            return Outcome(port, error=error)

    def look_at_all(self, ports: list[Path]) -> list[Outcome]:
        """What is at each port, all at once; writes nothing."""
        with ThreadPoolExecutor(max_workers=max(len(ports), 1)) as pool:
            return list(pool.map(self.look, ports))

    def _known(self, outcome: Outcome, unique_id: str) -> Outcome:
        row = self.registry.pad(unique_id)
        return replace(outcome, revoked=row is not None and row.state == "revoked")

    def plan_all(
        self, ports: list[Path], bundle: Bundle, places: dict[Path, Place]
    ) -> dict[str, list[str]]:
        """What a batch would do, by the port's name; writes nothing."""

        def one(port: Path) -> list[str]:
            return self.plan(port, bundle, places.get(port))

        with ThreadPoolExecutor(max_workers=max(len(ports), 1)) as pool:
            return {
                port.name: steps for port, steps in zip(ports, pool.map(one, ports), strict=True)
            }

    def plan(self, port: Path, bundle: Bundle, place: Place | None = None) -> list[str]:
        """What ``flash`` would do at a port; writes nothing."""
        outcome = self.look(port)
        if outcome.error is not None:
            return [f"cannot: {outcome.error}"]
        if outcome.found is not None:
            return plan(outcome.found, bundle)
        greeted = outcome.greeted
        assert greeted is not None
        if self._is_done(greeted, bundle, place):
            return [f"nothing: runs {greeted.version} ({greeted.hash})"]
        if not greeted.proved:
            return [f"cannot: runs {greeted.version} ({greeted.trust}); {HELD}"]
        try:
            refuse_older(greeted.version, bundle)
        except NotTrusted as error:
            return [f"refuse: {error}"]
        steps = ["send into its prompt"]
        if greeted.hash != bundle.hash:
            steps.append(f"write {bundle.version} over {greeted.version}: {bundle.size} B")
        else:
            steps.append("write its place")
        return [*steps, "restart, self-test, verify"]
