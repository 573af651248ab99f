"""``python -m kiosk FILE``: the kiosk without the command ``lobby`` around it, which takes a tenth
of the time to the first frame. It is what the service and the supervisor start.
"""

import gc
import sys
from importlib.metadata import version
from pathlib import Path

if __name__ == "__main__":
    gc.disable()  # until the first frame: what is imported stays
    # structlog takes it where it is there: an eighth of all processor time of the imports, for
    # coloured tracebacks that no log of ours has.
    sys.modules["rich"] = None  # type: ignore[assignment]
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kiosk FILE")
    from kiosk.cli import main

    sys.exit(main(Path(sys.argv[1]), version("lobby-kiosk")))
