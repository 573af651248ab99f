"""What the kiosk's screen shows at one moment, as values: the flow makes them, the window draws
them. Pure.
"""

from dataclasses import dataclass, field
from enum import StrEnum

LANGUAGES = ("zh_CN", "en")
"""The languages of the configuration's own words; the catalogue may have more."""


class Words(dict[str, str]):
    """A text by language; in a language that it lacks it is English."""

    def __missing__(self, language: str) -> str:
        return self["en"]


class Screen(StrEnum):
    """Which screen is up; also the ``screen`` of the screen description."""

    HOME = "home"
    ATTRACT = "attract"
    ACCESS = "access"
    TRIAGE = "triage"
    CLOSED = "closed"
    CODE = "code"
    CODE_SAID = "code_said"
    IDLE = "idle"
    TICKET = "ticket"
    NO_SLIP = "no_slip"
    OUT_OF_SERVICE = "out_of_service"
    TECHNICIAN = "technician"
    FEEDBACK = "feedback"
    HELP = "help"
    SUGGESTION = "suggestion"
    COMPLAINT = "complaint"
    COMMITMENTS = "commitments"
    RECEIPT = "receipt"
    REASON = "reason"
    THANKS = "thanks"


class Printing(StrEnum):
    """How far the slip of the ticket on screen is."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Modes:
    """How this visitor wants the screens; they end with the visit.

    ``simple``: large print, few choices, no hurry. ``low``: every control in the lower half, for
    somebody who sits. ``contrast``: white on black. ``left``: what lies to the right for a right
    hand lies to the left.
    """

    simple: bool = False
    low: bool = False
    contrast: bool = False
    left: bool = False


PLAIN = Modes()


@dataclass(frozen=True, slots=True)
class Wait:
    """What is known of a queue: people ahead (None = unknown) and the wait interval in minutes
    (None = unknown). Of a group of services only the interval is known.

    ``low_min == high_min == 0`` with nobody ahead means that a window is free: "No wait".
    """

    ahead: int | None = None
    low_min: int | None = None
    high_min: int | None = None
    covered: bool = False  # "8 times out of 10" is true: measured cover is within 75-85 %


@dataclass(frozen=True, slots=True)
class ServiceTile:
    """One service on the home screen; names and examples by language. ``letter`` starts its
    numbers.
    """

    letter: str
    name: dict[str, str]
    examples: dict[str, str]
    wait: Wait
    priority: bool = False  # the "a person, please" service, drawn as the green button
    short: dict[str, str] = field(default_factory=dict)  # name for the small kiosk, if needed
    closed: str = ""  # key of the catalogue that says why no number is given ("closed.full")
    opens: str = ""  # "13:30", for a key that names it
    group: bool = False  # it opens others; its wait is from the shortest of theirs to the longest

    def brief(self, language: str) -> str:
        """The short name where there is one, in the same language as the name."""
        spoken = language if language in self.name else "en"
        return self.short.get(spoken) or self.name[language]


@dataclass(frozen=True, slots=True)
class Header:
    """Branch name by language and the wall clock as the header shows it."""

    branch: dict[str, str]
    date: dict[str, str]  # "11月23日 星期一" / "Mon 23 Nov"
    clock: str  # "10:24"


@dataclass(frozen=True, slots=True)
class HomeView:
    """First screen: at most four ordinary services and the person button; in simple mode two."""

    language: str
    header: Header
    tiles: tuple[ServiceTile, ...]
    online: bool = True
    notice: str = ""  # key of the catalogue for a short transient word, "" for none
    modes: Modes = PLAIN
    group: dict[str, str] = field(default_factory=dict)  # name of what the tiles are within
    left_min: int = 0  # minutes until the branch closes, once that is near
    screen: Screen = Screen.HOME


@dataclass(frozen=True, slots=True)
class AccessView:
    """What would make it easier: the switches, and how the screens will look."""

    language: str
    header: Header
    chosen: Modes  # as switched so far; ``modes`` is how this screen itself is drawn
    sample: ServiceTile
    person: bool = True  # there is a way to a person to offer
    modes: Modes = PLAIN
    screen: Screen = Screen.ACCESS


@dataclass(frozen=True, slots=True)
class TicketView:
    """The number is issued and journalled; the slip is printing or out."""

    language: str
    header: Header
    service_name: dict[str, str]
    number: str
    issued_clock: str
    wait: Wait
    printing: Printing
    modes: Modes = PLAIN
    screen: Screen = Screen.TICKET


@dataclass(frozen=True, slots=True)
class NoSlipView:
    """The number is valid, the slip did not come: stays until acknowledged."""

    language: str
    header: Header
    service_name: dict[str, str]
    number: str
    issued_clock: str
    wait: Wait
    cause: str  # catalogue suffix: paper_out, other
    staff_told: bool
    qr_url: str | None  # None: no public address is configured, no code is drawn
    may_reprint: bool = False  # the printer is able and the number was not printed again yet
    modes: Modes = PLAIN
    screen: Screen = Screen.NO_SLIP


@dataclass(frozen=True, slots=True)
class OutOfServiceView:
    """No ticket can be journalled, so none is issued."""

    language: str
    header: Header
    code: str  # for the technician, e.g. "storage_full"
    machine: str = ""  # which kiosk, before the code: "K1"
    told_clock: str = ""  # when the technician was told; "" = nobody has been reached
    modes: Modes = PLAIN
    screen: Screen = Screen.OUT_OF_SERVICE


@dataclass(frozen=True, slots=True)
class Document:
    """What to have at hand: an icon (id, card, phone, slip), a name and a note by language."""

    icon: str
    name: dict[str, str]
    note: dict[str, str]


@dataclass(frozen=True, slots=True)
class TriageView:
    """What to bring, then the counter, or a machine beside it at equal size."""

    language: str
    header: Header
    service: ServiceTile
    documents: tuple[Document, ...]
    machine_min: int = 0  # minutes at the machine; 0: there is none for this
    person: bool = True  # there is a way to a person to offer
    modes: Modes = PLAIN
    screen: Screen = Screen.TRIAGE


@dataclass(frozen=True, slots=True)
class Said:
    """A text of the catalogue: its key, and its placeholders' values. ``strong``: set larger."""

    key: str
    values: tuple[tuple[str, str | int], ...] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to press on a sheet; ``icon`` "" draws none."""

    control: str
    key: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class SheetView:
    """A sheet of feedback: a title, lines to read, a short list, and the way out.

    ``plate`` is a number shown large, "" for none. ``person`` is the key of the button that calls
    somebody, "" where there is none. ``switch``: the language can be changed here, for who has not
    seen the first screen.
    """

    language: str
    header: Header
    screen: Screen
    title: Said
    lines: tuple[Said, ...] = ()
    options: tuple[Option, ...] = ()
    leave: Option | None = None  # None while there is something to wait for
    icon: str = ""
    plate: str = ""
    person: str = ""
    switch: bool = False
    modes: Modes = PLAIN


@dataclass(frozen=True, slots=True)
class DayHours:
    """A line of the week: which days, and their hours ("" closed)."""

    days: dict[str, str]
    hours: str


@dataclass(frozen=True, slots=True)
class ClosedView:
    """The branch is closed: when it opens, its hours, what can be done elsewhere."""

    language: str
    header: Header
    opens: dict[str, str]  # "明天 09:00"; {}: nobody knows
    days: tuple[DayHours, ...]
    elsewhere: dict[str, str]  # {}: nothing is configured
    modes: Modes = PLAIN
    screen: Screen = Screen.CLOSED


@dataclass(frozen=True, slots=True)
class AttractView:
    """Nobody is there: one public text, and that a touch begins. ``title`` {}: what the branch
    promises.
    """

    language: str
    header: Header
    title: dict[str, str]
    lines: tuple[str, ...]
    icon: str
    modes: Modes = PLAIN
    screen: Screen = Screen.ATTRACT


@dataclass(frozen=True, slots=True)
class IdleView:
    """ "Still there?" over the screen that waits: it counts down, one tap keeps everything."""

    language: str
    header: Header
    behind: "HomeView | AccessView | TriageView | SheetView | ClosedView | CodeView | CodeSaidView"
    left_s: int
    whole_s: int
    modes: Modes = PLAIN
    screen: Screen = Screen.IDLE


@dataclass(frozen=True, slots=True)
class SelfTestRow:
    """One thing that was looked at: "printer", "pad-3", "disk" …; ok, warning or fault; the code
    of its trouble.
    """

    name: str
    grade: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class TechnicianView:
    """The technician's menu: ``stage`` is code, menu or grid. For ``wait_s`` no code is taken;
    ``word`` is the key of what came of the last touch, "" for nothing.
    """

    language: str
    header: Header
    stage: str
    digits: int = 0
    wait_s: int = 0
    rows: tuple[SelfTestRow, ...] = ()
    busy: bool = False
    word: str = ""
    touched: frozenset[str] = frozenset()
    modes: Modes = PLAIN
    screen: Screen = Screen.TECHNICIAN


@dataclass(frozen=True, slots=True)
class CodeView:
    """The pad for six digits; ``asking``: they are complete and the branch is asked."""

    language: str
    header: Header
    digits: str
    asking: bool = False
    reader: bool = False  # a code may also be held to a reader
    person: bool = True
    modes: Modes = PLAIN
    screen: Screen = Screen.CODE


@dataclass(frozen=True, slots=True)
class CodeSaidView:
    """What is known of a code. ``state`` and the values are those of CodeSaid (kiosk/codes.py);
    ``choices`` are the control ids that are offered, the first one is the primary one.
    """

    language: str
    header: Header
    state: str
    choices: tuple[str, ...]
    service_name: dict[str, str]
    number: str = ""
    clock: str = ""
    day: dict[str, str] = field(default_factory=Words)
    counter: int = 0
    waited_min: int = 0
    limit_min: int = 0
    span: str = ""  # what was forecast, "10–20", "" where nothing was
    later_min: int = 0
    modes: Modes = PLAIN
    screen: Screen = Screen.CODE_SAID


View = (
    HomeView
    | AccessView
    | TriageView
    | SheetView
    | ClosedView
    | AttractView
    | CodeView
    | CodeSaidView
    | IdleView
    | TicketView
    | NoSlipView
    | OutOfServiceView
    | TechnicianView
)

# Control ids: "service.A" … "service.Z" on the home screen; the rest below.
CONTROL_LANGUAGE = "language"
CONTROL_ACCESS = "access"
CONTROL_FEEDBACK = "feedback"
CONTROL_DONE = "done"
CONTROL_NO_SLIP = "no_slip"
CONTROL_ACKNOWLEDGE = "acknowledge"
CONTROL_REPRINT = "reprint"
CONTROL_LISTEN = "listen"
CONTROL_PERSON = "person"
CONTROL_SIMPLE = "access.simple"
CONTROL_LOW = "access.low"
CONTROL_CONTRAST = "access.contrast"
CONTROL_LEFT = "access.left"
CONTROL_GO = "access.go"
CONTROL_EVERYTHING = "everything"
CONTROL_EXIT = "exit"
CONTROL_BACK = "back"
CONTROL_COUNTER = "counter"
CONTROL_MACHINE = "machine"
CONTROL_CHECK_IN = "check_in"
DIGIT_PREFIX = "digit."
CONTROL_ERASE = "erase"
CONTROL_AGAIN = "again"
CONTROL_LATER = "later"
CONTROL_STAY = "stay"
CONTROL_FINISH = "finish"
CONTROL_TECHNICIAN = "technician"
"""The hidden gesture; the menu's own controls begin with it (kiosk/technician.py)."""
CONTROL_HELP = "help"
CONTROL_SUGGESTION = "suggestion"
CONTROL_COMPLAINT = "complaint"
CONTROL_COMMITMENTS = "commitments"
CONTROL_SKIP = "skip"
REASON_PREFIX = "why."
SUGGESTION_PREFIX = "suggest."
CONTROL_ANYWHERE = "anywhere"
"""A touch that meets no control: on the ticket screen the next visitor's touch clears it."""
