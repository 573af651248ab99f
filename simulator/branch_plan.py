"""The demo's branch: its configuration files and its people's habits."""

from dataclasses import dataclass
from pathlib import Path

LARGE = (1080, 1920, 0.24790)
SMALL = (1280, 800, 0.16996)
"""Width, height and pixel pitch (mm) of the 21.5 inch portrait and the 10.1 inch landscape kiosk.
"""

COUNTERS: dict[int, tuple[str, ...]] = {
    1: ("A", "P"),
    2: ("A", "B", "P"),
    3: ("B", "C", "P"),
    4: ("A", "C", "D", "P"),
}
CALLER_PADS = {2: "apart", 4: "on the visitors' board"}
"""Counters whose teller has keys and digits; the others use the page."""
MIX = {"A": 0.42, "B": 0.30, "C": 0.12, "D": 0.10, "P": 0.06}
ARRIVALS_PER_HOUR = 66.0
SERVICE_S = 150.0
RATING_SHARE = 0.7

SERVICES = (
    ("A", "现金业务", "Cash", "存取款、换零、存折", "Deposit, withdraw"),
    ("B", "非现金业务", "Cards & accounts", "开卡、挂失、改密码", "Open, replace, PIN"),
    ("C", "对公业务", "Business", "企业开户、对账", "Company accounts"),
    ("D", "理财与贷款", "Advice", "咨询、签约", "Savings, loans"),
    (
        "P",
        "长者·需要人工",
        "A person, please",
        "取优先号，请到咨询台",
        "Seniors welcome. Priority ticket.",
    ),
)
ON_BOARD = {
    "A": ("现金", "Cash"),
    "B": ("非现金", "Accounts"),
    "C": ("对公", "Business"),
    "D": ("理财贷款", "Advice"),
    "P": ("优先", "Priority"),
}
PHONE = "400-000-0000"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the demo's files and devices are."""

    folder: Path
    broker_port: int
    printer: str
    pads: dict[int, str]
    callers: dict[int, str]
    speaker: str = ""

    @property
    def bench(self) -> Path:
        """The kiosk's bench socket."""
        return self.folder / "bench.sock"

    @property
    def branch_db(self) -> Path:
        """The branch server's database."""
        return self.folder / "branch.db"

    @property
    def journal(self) -> Path:
        """The kiosk's journal."""
        return self.folder / "kiosk" / "journal.db"


def kiosk_toml(places: Places, size: tuple[int, int, float], *, fullscreen: bool) -> str:
    """kiosk.toml of the demo."""
    width, height, pitch = size
    lines = [
        'node = "kiosk-1"',
        "production = false",
        'data_dir = "kiosk"',
        "",
        "[branch]",
        'zh = "示例银行·滨江支行"',
        'en = "Sample Bank, Riverside"',
        f'complaints_phone = "{PHONE}"',
        "",
        "[screen]",
        f"width = {width}",
        f"height = {height}",
        f"pixel_pitch_mm = {pitch}",
        f"fullscreen = {str(fullscreen).lower()}",
        "",
        "[broker]",
        f"port = {places.broker_port}",
        "",
        "[printer]",
        f'address = "{places.printer}"',
        "",
        "[bench]",
        f'socket = "{places.bench.name}"',
    ]
    for letter, zh, en, examples_zh, examples_en in SERVICES:
        lines += [
            "",
            "[[services]]",
            f'letter = "{letter}"',
            f'zh = "{zh}"',
            f'en = "{en}"',
            f'examples_zh = "{examples_zh}"',
            f'examples_en = "{examples_en}"',
        ]
        if letter == "P":
            lines.append("priority = true")
    for counter, address in places.pads.items():
        lines += ["", "[[pads]]", f"counter = {counter}", f'address = "{address}"']
        if places.callers.get(counter) == address:
            lines.append('roles = ["rating", "caller"]')
        elif counter in places.callers:
            lines += [
                "",
                "[[pads]]",
                f"counter = {counter}",
                f'address = "{places.callers[counter]}"',
                'roles = ["caller"]',
            ]
    return "\n".join(lines) + "\n"


CALL_GAP_S = 20.0
"""Between two calls of a ticket, in branch time."""


def branch_toml(places: Places, port: int, speed: float) -> str:
    """branch.toml of the demo: people who are ``speed`` times as fast are called as much sooner
    again.
    """
    lines = [
        'node = "branch-1"',
        f'database = "{places.branch_db.name}"',
        "",
        "[branch]",
        'zh = "示例银行·滨江支行"',
        'en = "Sample Bank, Riverside"',
        'hours = "9:00–17:00"',
        f'complaints_phone = "{PHONE}"',
        "",
        "[http]",
        f"port = {port}",
        "port_search = true",
        "",
        "[broker]",
        f"port = {places.broker_port}",
        "",
        "[queue]",
        f"call_gap_s = {CALL_GAP_S / speed}",
    ]
    if places.speaker:
        lines += ["", "[announcements]", "enabled = true", f'address = "{places.speaker}"']
    for letter, (zh, en) in ON_BOARD.items():
        lines += [
            "",
            "[[services]]",
            f'letter = "{letter}"',
            f'zh = "{zh}"',
            f'en = "{en}"',
            f"mean_service_s = {SERVICE_S}",
        ]
    for counter, letters in COUNTERS.items():
        listed = ", ".join(f'"{letter}"' for letter in letters)
        lines += [
            "",
            "[[counters]]",
            f"number = {counter}",
            f"services = [{listed}]",
            'pad_node = "kiosk-1"' if counter in places.pads else 'pad_node = ""',
            'caller_node = "kiosk-1"' if counter in places.callers else 'caller_node = ""',
        ]
    return "\n".join(lines) + "\n"
