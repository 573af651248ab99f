"""The kiosk's window in a process of its own: Kivy allows one in a process.

Views come as JSON lines over stdin, ``{"type": "HomeView", "view": {...}}``; accepted touches and
errors go out over stdout. The end of stdin ends the window.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import msgspec

from kiosk import view as views
from kiosk.catalogue import Catalogue
from kiosk.ui import WindowError
from kiosk.ui.bench import start_bench
from kiosk.ui.window import KioskWindow

TYPES: dict[str, type[views.View]] = {
    kind.__name__: kind
    for kind in (views.HomeView, views.TicketView, views.NoSlipView, views.OutOfServiceView)
}


def tell(**news: object) -> None:
    sys.stdout.write(json.dumps(news, ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def read_views(window: KioskWindow) -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            message = json.loads(line)
            try:
                window.show(msgspec.convert(message["view"], TYPES[message["type"]]))
                tell(shown=True)
            except (WindowError, ValueError) as error:
                tell(error=str(error))
    finally:
        window.stop()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", required=True)
    parser.add_argument("--pitch", required=True, type=float)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--served", default="")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    window = KioskWindow(
        size=(width, height),
        pixel_pitch_mm=options.pitch,
        catalogue=Catalogue.load(),
        on_control=lambda control, touch: tell(control=control, touch=touch),
        served=[name for name in options.served.split(",") if name],
    )
    bench = await start_bench(window, options.socket)
    reading = asyncio.create_task(read_views(window))
    tell(ready=True)
    await window.run()
    reading.cancel()
    await bench.close()
    if reading.done() and not reading.cancelled():
        reading.result()


if __name__ == "__main__":
    asyncio.run(main())
