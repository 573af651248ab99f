"""The files that take longest, longest first: the run begins with them, so that no process is
left with a long one at the end. A rough order is enough: `pytest --durations=100` tells it.
"""

from pathlib import PurePath

LONGEST = (
    "system/test_three_kiosks.py",
    "unit/simulator/test_replay.py",
    "system/test_demo.py",
    "unit/hal/test_pad_bus.py",
    "system/test_flash.py",
    "unit/simulator/test_powercut.py",
    "ui/test_gate.py",
    "unit/simulator/test_prove_seeds.py",
    "unit/simulator/test_prove_paper.py",
    "ui/test_teller_dialogs.py",
    "unit/simulator/test_prove_clock.py",
    "unit/branch/test_queue_histories.py",
    "system/test_flash_running.py",
    "ui/test_window_pixels.py",
    "system/test_alerts.py",
    "unit/branch/test_day.py",
    "system/test_teller_hour.py",
    "system/test_flash_blank.py",
    "ui/test_window_display.py",
    "system/test_calling_kills.py",
    "ui/test_web_pages.py",
    "ui/test_added_language.py",
    "ui/test_sign_in_page.py",
    "unit/branch/test_figures.py",
    "unit/branch/test_queue_theory.py",
    "unit/simulator/test_replay_invariants.py",
    "contract/test_ticket_printer.py",
    "unit/branch/test_wait.py",
    "ui/test_window_layout.py",
    "contract/test_rating_pad.py",
    "unit/kiosk/test_controller_crash.py",
    "unit/simulator/test_prove_kills.py",
    "contract/test_caller_pad.py",
    "unit/sync/test_contract.py",
    "system/test_no_sight.py",
    "contract/test_speaker.py",
    "unit/sync/test_journal_kills.py",
    "ui/test_hall_page.py",
    "ui/test_window_modes.py",
    "system/test_visits.py",
    "system/test_flash_updates.py",
    "system/test_hq.py",
    "system/test_feed.py",
    "unit/branch/test_alerting.py",
    "system/test_frozen_kiosk.py",
)
_RANK = {name: rank for rank, name in enumerate(LONGEST)}


def rank(file: PurePath) -> int:
    """Where a file (relative to tests/) comes in the run; all that are short come last, alike."""
    return _RANK.get(file.as_posix(), len(LONGEST))
