"""Which backend serves which kind of device: a table of names, imported when used, never a silent
fallback.
"""

import importlib
from typing import Any

from hal.errors import UnknownBackend

BACKENDS: dict[str, dict[str, str]] = {
    "link": {
        "serial": "hal.link:SerialLink",
        "tcp": "hal.link:TcpLink",
        "evdev": "hal.link_evdev:EvdevLink",
        "usb": "hal.link_usb:UsbLink",
    },
    "card": {
        "serial": "hal.drivers.card:SerialCardReader",
        "hid": "hal.drivers.card:HidCardReader",
    },
    "printer": {"escpos": "hal.drivers.escpos:EscposPrinter"},
    "presence": {"gpio": "hal.drivers.gpio:GpioPresence"},
    "backlight": {"gpio": "hal.drivers.gpio:GpioBacklight"},
    "printer_profile": {
        "generic-80": "hal.drivers.escpos_codes:PAPER_80",
        "generic-58": "hal.drivers.escpos_codes:PAPER_58",
        "tm-t88": "hal.drivers.escpos_codes:TM_T88",
        "raster-80": "hal.drivers.escpos_codes:RASTER_80",
        "raster-58": "hal.drivers.escpos_codes:RASTER_58",
    },
    "pad": {"serial": "hal.drivers.pad:SerialPad"},
    "pad_bus": {"rs485": "hal.drivers.pad_bus:PolledBus"},
    "keypad": {
        "keyboard": "hal.drivers.keypad:KeyboardPad",
        "serial": "hal.drivers.keypad:SerialKeyPad",
        "pad": "hal.drivers.pad_strokes:KeysPad",
    },
    "speaker": {"espeak": "hal.drivers.speaker:EspeakSpeaker"},
    "window_display": {"alpha": "hal.drivers.alpha_sign:AlphaLine"},
    "pad_talk": {"keyed": "hal.drivers.pad_talk:PadTalk"},  # its trust alone, without a line
}


def backend(kind: str, name: str) -> Any:
    """Return the class registered for ``kind`` and ``name``.

    Raises UnknownBackend, naming the backends that exist, or an ImportError that names the missing
    library.
    """
    try:
        target = BACKENDS[kind][name]
    except KeyError:
        known = ", ".join(sorted(BACKENDS.get(kind, {}))) or "none"
        raise UnknownBackend(
            f"no {kind} backend called {name!r}; the ones that exist are: {known}"
        ) from None
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
