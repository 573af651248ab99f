"""A branch in one process: the real kiosk controller, the real server, simulated devices, on one
clock.
"""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from branch.config import BranchConfig
from branch.queue import Discipline
from branch.service import BranchService
from branch.store import Store
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.paper import PrintedSlip
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from kiosk.config import KioskConfig
from kiosk.controller import KioskController
from kiosk.view import View
from simulator.broker import LocalBroker
from sync.clock import Clock
from sync.journal import Journal

PRINTER_CHECK_S = 600.0
"""Nothing happens to the paper of this world by itself: the watch may look rarely."""


class World:
    """Builds the parts by their constructors; ``start`` and ``stop`` run them. Databases are real
    files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kiosk: KioskConfig,
        branch: BranchConfig,
        clock: Clock,
        version: str,
        show: Callable[[View], None],
        discipline: Discipline | None = None,
        business_day: str | None = None,
    ) -> None:
        self.journal_path = folder / "journal.db"
        self.branch_path = folder / "branch.db"
        self.broker = LocalBroker()
        near, far = memory_pair("printer")
        self.held: list[str] = []
        """Numbers of the slips that came out of the printer, as a person reads them."""
        self.printer = SimPrinter(on_slip=self._take)
        self.printer_port = MemoryPrinter(self.printer, far)
        self._journal = Journal(self.journal_path, node=kiosk.node, clock=clock)
        self._store = Store(f"sqlite:///{self.branch_path}")
        self.branch = BranchService(
            branch,
            store=self._store,
            transport=self.broker.transport(),
            clock=clock,
            version=version,
            tz=UTC,
            discipline=discipline,
        )
        self.kiosk = KioskController(
            kiosk,
            journal=self._journal,
            printer=backend("printer", "escpos")(near, name="printer"),
            pads={},
            transport=self.broker.transport(),
            clock=clock,
            show=show,
            version=version,
            tz=UTC,
            today=(lambda: business_day) if business_day else None,
            printer_check_s=PRINTER_CHECK_S,
        )

    async def start(self) -> None:
        """Switch everything on, the server first."""
        await self.printer_port.plug_in()
        await self.branch.open()
        await self.kiosk.start()

    async def stop(self) -> None:
        """Switch everything off, the kiosk first, so that the server gets its last events."""
        await self.kiosk.stop()
        await self.branch.close()
        await self.printer_port.unplug()
        self._journal.close()
        self._store.close()

    def _take(self, slip: PrintedSlip) -> None:
        if slip.complete:
            self.held.append(slip.number)
