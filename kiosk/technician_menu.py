"""The technician's menu at the kiosk's screen: a code, the self-test, a test slip, the touch grid.

It lies over the visit and is open only while nobody has a ticket in hand. That it was opened is
journalled; what happens in it is not, but for what devices themselves tell.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from hal.api import HealthState, Paper
from kiosk.config import KioskConfig
from kiosk.flow import Phase, Visit
from kiosk.printing import SlipPrinter
from kiosk.technician import OPEN, PREFIX, Action, Session, Stage, Throttle, is_right, step
from kiosk.view import Header, SelfTestRow, TechnicianView
from sync import checks
from sync.checks import Check, Grade

LEAVES_AFTER_S = 60.0
"""Without a touch: nobody finds the menu open."""
OPEN_IN = (Phase.HOME, Phase.WARNING, Phase.ACCESS, Phase.TRIAGE, Phase.CLOSED)
GRADES = {HealthState.OK: Grade.OK, HealthState.WARNING: Grade.WARNING}

log = structlog.get_logger()


class TechnicianMenu:
    """Takes the touches while it is open. ``devices`` are the states that the kiosk knows,
    ``changed`` draws, ``restart`` ends the program so that it is started again. ``entered`` hears
    of each right code, and after how many wrong ones it came.
    """

    def __init__(
        self,
        config: KioskConfig,
        *,
        printer: SlipPrinter,
        devices: Callable[[], Mapping[str, tuple[HealthState, str]]],
        changed: Callable[[], None],
        spawn: Callable[[Awaitable[None], str], None],
        restart: Callable[[], None],
        entered: Callable[[int], None],
        now_s: Callable[[], float],
    ) -> None:
        self._config = config
        self._printer = printer
        self._devices = devices
        self._changed = changed
        self._spawn = spawn
        self._restart = restart
        self._entered = entered
        self._now_s = now_s
        self._throttle = Throttle()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._machine: tuple[Check, ...] = ()
        self._busy = False
        self._word = ""

    @property
    def is_open(self) -> bool:
        """Whether it has the screen."""
        return self._session is not None

    def takes(self, control: str, visit: Visit) -> bool:
        """Whether the touch is the menu's; then it was acted on."""
        if self._session is None:
            if control == OPEN:
                self._open(visit)
            return control == OPEN or control.startswith(PREFIX)
        if control == OPEN:
            return True
        self._stay()
        before = self._session
        self._session, action = step(before, control)
        match action:
            case Action.CHECK if self._throttle.left_s(self._now_s()) <= 0 and not self._busy:
                self._do(self._check(before), "technician code")
            case Action.LOOK if not self._busy:
                self._do(self._look(), "self-test")
            case Action.SLIP if not self._busy:
                self._do(self._slip(), "test slip")
            case Action.RESTART:
                log.warning("technician.restarts")
                self._restart()
        if self._session is None:
            self.close()
        self._changed()
        return True

    def close(self) -> None:
        """Give the screen back."""
        self._session = None
        for handle in (self._timer, self._ticking):
            if handle is not None:
                handle.cancel()
        self._timer = self._ticking = None

    def view(self, language: str, header: Header) -> TechnicianView | None:
        """What it shows, None while it is closed."""
        session = self._session
        if session is None:
            return None
        return TechnicianView(
            language,
            header,
            session.stage.value,
            digits=len(session.digits),
            wait_s=round(self._throttle.left_s(self._now_s())),
            rows=self._rows() if session.stage is Stage.MENU else (),
            busy=self._busy,
            word=self._word,
            touched=session.touched,
        )

    def _open(self, visit: Visit) -> None:
        if self._config.technician is None or visit.phase not in OPEN_IN:
            return
        self._session, self._word, self._machine = Session(), "", ()
        self._stay()
        self._tick()
        self._changed()

    def _stay(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LEAVES_AFTER_S, self._leave)

    def _leave(self) -> None:
        self.close()
        self._changed()

    def _tick(self) -> None:
        """Count down while the pad is closed."""
        self._ticking = None
        if self._session is None or self._session.stage is not Stage.CODE:
            return
        if self._throttle.left_s(self._now_s()) > 0:
            self._ticking = asyncio.get_running_loop().call_later(1.0, self._tick)
        self._changed()

    def _do(self, work: Awaitable[None], name: str) -> None:
        self._busy = True
        self._spawn(self._done(work), name)

    async def _done(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._busy = False
            self._changed()

    async def _check(self, session: Session) -> None:
        assert self._config.technician is not None
        stored = self._config.technician.code_hash
        right = await asyncio.to_thread(is_right, session.digits, stored)
        wrong = self._throttle.wrong
        self._throttle.note(right, self._now_s())
        if self._session is None:
            return
        if right:
            self._entered(wrong)
        log.warning("technician.entered" if right else "technician.refused")
        self._session = Session(Stage.MENU) if right else Session()
        self._word = "" if right else "tech.wrong"
        if right:
            await self._look()
        else:
            self._tick()

    async def _look(self) -> None:
        folder = Path(self._config.data_dir)
        self._machine = (
            await asyncio.to_thread(checks.disk, folder),
            checks.clock(),
            await checks.broker(self._config.broker, self._config.node),
        )

    async def _slip(self) -> None:
        self._word = "tech.slip.prints"
        self._changed()
        result = await self._printer.print_test()
        self._word = "tech.slip.out" if result.paper is Paper.PRINTED else "tech.slip.none"

    def _rows(self) -> tuple[SelfTestRow, ...]:
        """What does not work first."""
        rows = [SelfTestRow(check.name, check.grade.value) for check in self._machine]
        for name, (state, detail) in self._devices().items():
            grade = GRADES.get(state, Grade.FAULT)
            rows.append(SelfTestRow(name, grade.value, "" if grade is Grade.OK else detail))
        order = [Grade.FAULT, Grade.WARNING, Grade.OK]
        return tuple(sorted(rows, key=lambda row: order.index(Grade(row.grade))))
