"""The kiosk's window in a process of its own: Kivy allows one in a process.

Orders come as JSON lines over stdin, each answered with one line over stdout:
``{"type": "HomeView", "view": {...}}`` shows a view, with ``"on_touch": true`` as the answer to
the next accepted touch, ``{"advance_s": 0.5}`` moves the clock by which double touches are judged,
``{"read": true}`` reads the screen's texts, ``{"count": true}`` counts the pictures that are
alive, but for those of the pages that stay, and the font files that are open. Accepted touches go
out between the answers. The end of stdin ends the window.
"""

import argparse
import asyncio
import gc
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec

from kiosk import view as views
from kiosk.catalogue import Catalogue
from kiosk.errors import KioskError
from kiosk.ui.bench import start_bench
from kiosk.ui.touch_map import MATRIX, TouchMap
from kiosk.ui.window import KioskWindow

TYPES: dict[str, type[views.View]] = {kind.__name__: kind for kind in get_args(views.View)}


def tell(**news: object) -> None:
    sys.stdout.write(json.dumps(news, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class Clock:
    """Stands still until an order moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def built(order: dict[str, Any]) -> views.View:
    """The view of an order; the one behind a warning is a home screen."""
    if order["type"] != "IdleView":
        view = msgspec.convert(order["view"], TYPES[order["type"]])
        if isinstance(view, views.CodeSaidView):  # a text in English alone
            day, name = views.Words(view.day), views.Words(view.service_name)
            view = replace(view, day=day, service_name=name)
        return view
    fields = dict(order["view"])
    return views.IdleView(
        language=fields["language"],
        header=msgspec.convert(fields["header"], views.Header),
        behind=msgspec.convert(fields["behind"], views.HomeView),
        left_s=fields["left_s"],
        whole_s=fields["whole_s"],
        modes=msgspec.convert(fields["modes"], views.Modes),
    )


def pictures() -> int:
    """Textures that are alive, with those that only a collection would find; those that were
    there when all pages were built are not looked at again.
    """
    texture = sys.modules["kivy.graphics.texture"].Texture
    # The type is asked, not the object: some are proxies of what is gone.
    return sum(issubclass(type(found), texture) for found in gc.get_objects())


def fonts_open() -> int:
    targets = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own handle
            targets.append(handle.readlink().suffix)
    return targets.count(".otf")


async def obey(window: KioskWindow, clock: Clock, answers: list[views.View]) -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            order = json.loads(line)
            if "advance_s" in order:
                clock.now_s += order["advance_s"]
                tell(done=True)
                continue
            if "read" in order:
                from kiosk.ui.describe import read

                stage = window._stage
                assert stage.view is not None
                tell(done=True, read=read(stage._root, stage.view))
                continue
            if "count" in order:
                await window.frame()  # what was given back goes with the next frame
                frozen = gc.get_freeze_count()
                tell(done=True, pictures=pictures(), fonts=fonts_open(), frozen=frozen)
                continue
            try:
                view = built(order)
                if order.get("on_touch"):
                    answers.append(view)
                    tell(done=True)
                    continue
                new = view != window.view
                window.show(view)
                tell(done=True, new=new)
            except (KioskError, msgspec.ValidationError) as error:
                tell(done=False, error=str(error))
    finally:
        window.stop()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", required=True)
    parser.add_argument("--pitch", required=True, type=float)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--served", default="")
    parser.add_argument("--rotation", default=0, type=int, help="of the touch panel")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    clock = Clock()
    answers: list[views.View] = []

    def pressed(control: str, touch: str) -> None:
        tell(control=control, touch=touch)
        if answers:
            window.show(answers.pop())

    window = KioskWindow(
        size=(width, height),
        pixel_pitch_mm=options.pitch,
        catalogue=Catalogue.load(),
        on_control=pressed,
        served=[name for name in options.served.split(",") if name],
        now_s=clock,
        touch_map=TouchMap.of(MATRIX, options.rotation, invert_x=False, invert_y=False),
    )
    bench = await start_bench(window, options.socket)
    obeying = asyncio.create_task(obey(window, clock, answers))
    tell(ready=True)
    await window.run()
    await bench.close()
    obeying.cancel()
    await asyncio.gather(obeying, return_exceptions=True)
    if not obeying.cancelled():
        obeying.result()


if __name__ == "__main__":
    asyncio.run(main())
