"""kiosk.toml: the samples are read, and whatever is wrong is one sentence with file and key."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from branch import config as branch_config
from hal.link import parse_address
from kiosk import config
from kiosk.cli import build_devices
from sync.clock import Clock
from sync.settings import SettingsError

DEPLOY = Path(__file__).parents[3] / "deploy"
SAMPLE = (DEPLOY / "kiosk.toml").read_text("utf-8")
FIFTH = '[[services]]\nletter = "E"\nzh = "五"\nen = "Five"\n'
SECOND_PERSON = '[[services]]\nletter = "Q"\nzh = "请"\nen = "Help"\npriority = true\n'
PAD_1 = "platform-xhci-hcd.1-usb-0:1.1:1.0"
PAD_2 = "platform-xhci-hcd.1-usb-0:1.2:1.0"


def written(folder: Path, text: str) -> Path:
    path = folder / "kiosk.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_kiosk_sample_is_read() -> None:
    kiosk = config.read(DEPLOY / "kiosk.toml")
    assert kiosk.production
    assert kiosk.bench is None
    assert [service.letter for service in kiosk.services] == ["A", "B", "C", "D", "P"]
    assert [service.letter for service in kiosk.services if service.priority] == ["P"]
    assert [pad.counter for pad in kiosk.pads] == [1, 2, 3, 4]
    for address in (kiosk.printer.address, *(pad.address for pad in kiosk.pads)):
        assert parse_address(address).target.startswith("/dev/serial/by-path/")


def test_a_counter_may_have_two_pads_or_one_with_both_roles(tmp_path: Path) -> None:
    text = (DEPLOY / "kiosk.toml").read_text("utf-8")
    text += '[[pads]]\ncounter = 1\nroles = ["caller"]\naddress = "serial:/dev/one-more"\n'
    text = text.replace("counter = 2\n", 'counter = 2\nroles = ["rating", "caller"]\n')
    path = tmp_path / "kiosk.toml"
    path.write_text(text, "utf-8")
    kiosk = config.read(path)
    clock = Clock(wall_ms=lambda: 0, mono_ms=lambda: 0, boot="b", random_bits=lambda _: 1)
    _, pads, callers = build_devices(kiosk, clock)
    assert (set(pads), set(callers)) == ({1, 2, 3, 4}, {1, 2})
    boards: list[object] = [*pads.values()]
    assert callers[1] not in boards
    assert boards.index(callers[2]) == 1


def test_the_samples_belong_together() -> None:
    kiosk, branch = config.read(DEPLOY / "kiosk.toml"), branch_config.read(DEPLOY / "branch.toml")
    assert [s.letter for s in kiosk.services] == [s.letter for s in branch.services]
    padded = {c.number for c in branch.counters if c.pad_node == kiosk.node}
    assert padded == {pad.counter for pad in kiosk.pads}
    assert (kiosk.broker.host, kiosk.broker.port) == (branch.broker.host, branch.broker.port)
    assert kiosk.branch.en == branch.branch.en


@pytest.mark.parametrize(
    ("name", "kind"),
    [("kiosk", config.KioskConfig), ("branch", branch_config.BranchConfig)],
)
def test_the_values_in_the_samples_comments_are_the_defaults(
    name: str, kind: type[msgspec.Struct]
) -> None:
    """Every ``# key = value`` can be uncommented, and changes nothing."""
    lines = (DEPLOY / f"{name}.toml").read_text("utf-8").splitlines()
    offered = [
        index
        for index, line in enumerate(lines)
        if re.match(r"# (?!public_url|spare_bands)[a-z_]+ = ", line)  # two that have no default
    ]
    assert offered
    plain = msgspec.convert(tomllib.loads("\n".join(lines)), kind)
    for index in offered:
        spoken = [*lines[:index], lines[index].removeprefix("# "), *lines[index + 1 :]]
        assert msgspec.convert(tomllib.loads("\n".join(spoken)), kind) == plain, lines[index]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = SAMPLE.replace("production = true", "production = false")
    text = text.replace('data_dir = "/var/lib/lobby/kiosk"', 'data_dir = "data"')
    path = written(tmp_path, text + '\n[bench]\nsocket = "bench.sock"\n')
    kiosk = config.read(path)
    assert kiosk.data_dir == str(tmp_path / "data")
    assert kiosk.bench is not None
    assert kiosk.bench.socket == str(tmp_path / "bench.sock")


WRONG = [
    # (what stands in the sample, what stands there instead, key, what is said)
    ("band = 1 ", "bnad = 1 ", "bnad", "unknown key; did you mean 'band'?"),
    ("[screen]", "[screen]\nheigth = 3", "screen.heigth", "did you mean 'height'?"),
    ('zh = "现金业务"', 'zh = "现金业务"\ncolour = "red"', r"services\[0\].colour", "unknown key"),
    ("band = 1 ", 'band = "1" ', "band", "expected a whole number"),
    ("production = true", "production = 1", "production", "expected true or false"),
    ("counter = 3", "counter = 3.5", r"pads\[2\].counter", "expected a whole number"),
    ("counter = 3", 'counter = 3\nunique_id = "AB"', r"pads\[2\].unique_id", "bytes as hex"),
    ("counter = 3", "counter = 3\nallow_unkeyed = true", r"pads\[2\].allow_unkeyed", "flash"),
    ("counter = 3", 'counter = 3\noldest_firmware = "1"', r"pads\[2\].oldest_firmware", "like 0."),
    ('node = "kiosk-1"', "", "node", "missing"),
    ('letter = "B"', "", r"services\[1\].letter", "missing"),
    ('node = "kiosk-1"', 'node = "Kiosk 1"', "node", "like kiosk-1"),
    ('node = "kiosk-1"', 'node = "srv"', "node", "not pub or srv"),
    ('node = "kiosk-1"', 'node = ""', "node", "expected a-z"),
    ("band = 1 ", "band = 0 ", "band", "expected 1 to 9"),
    ("band = 1 ", "band = 10 ", "band", "10; expected 1 to 9"),
    ("band = 1 ", 'numbers = "server"\nband = 1 ', "show_band", "expected true with numbers"),
    ("band = 1 ", 'numbers = "both"\nband = 1 ', "numbers", "expected one of 'own', 'server'"),
    ("band = 1 ", 'day_starts_at = "4:00"\nband = 1 ', "day_starts_at", "expected HH:MM"),
    ("band = 1 ", 'day_starts_at = "13:00"\nband = 1 ', "day_starts_at", "at most 12:00"),
    ("# ticket_screen_s = 15.0", "ticket_screen_s = 0", "ticket_screen_s", "5 to 120 seconds"),
    ("# ticket_screen_s = 15.0", "ticket_screen_s = nan", "ticket_screen_s", "5 to 120 seconds"),
    ("[broker]", '[keys]\naddress = "tcp://k:1"\nbackend = "piano"\n[broker]', "keys.backend",
     "expected keyboard or pad or serial"),
    ("[broker]", '[keys]\naddress = "evdev:/dev/a"\nbackend = "pad"\n[broker]', "keys.address",
     "at serial:/dev/NAME"),
    ("[broker]", '[keys]\naddress = "rs485:/dev/a#5"\nbackend = "pad"\n[broker]', "keys.address",
     "at serial:/dev/NAME"),
    ("[broker]", '[keys]\naddress = "serial:/dev/a"\nbackend = "pad"\nunique_id = "AB"\n[broker]',
     "keys.unique_id", "bytes as hex"),
    ("[broker]", '[keys]\naddress = "serial:a"\nbackend = "pad"\nallow_unkeyed = true\n[broker]',
     "keys.allow_unkeyed", "flash"),
    ("[broker]", '[keys]\naddress = "serial:a"\nbackend = "serial"\nunique_id = "ab"\n[broker]',
     "keys.unique_id", "backend = \"pad\""),
    ("[broker]", '[keys]\naddress = "usb:/dev/usb/lp0"\n[broker]', "keys.address", "a printer"),
    ("[broker]", '[keys]\naddress = "evdev:/dev/a"\ncodes = {help = [1]}\n[broker]',
     "keys.codes.help", "unknown key"),
    ("[broker]", '[speaker]\naddress = "hw:0"\n[broker]', "speaker.address", "expected alsa:"),
    ("[broker]", '[speaker]\naddress = "alsa:"\n[broker]', "speaker.address", "expected alsa:"),
    ("[broker]", '[speaker]\naddress = "alsa:x"\nvolume = 6\n[broker]', "speaker.volume", "to 5"),
    ("[broker]", '[speaker]\naddress = "alsa:x"\nbackend = "x"\n[broker]', "speaker.backend",
     "expected espeak"),
    ("port = 1883", "port = 0", "broker.port", "0; expected 1 to 65535"),
    ("port = 1883", "port = 70000", "broker.port", "70000; expected"),
    ('host = "127.0.0.1"', 'host = ""', "broker.host", "expected a text"),
    ("[broker]", '[bench]\nsocket = "b"\n[broker]', "bench", "while production = true"),
    ('# language = "zh_CN" ', 'language = "de" ', "screen.language", "zh_CN or en"),
    ("width = 1080", "width = 320", "screen", "320x1920; too small"),
    ("pixel_pitch_mm = 0.2479", "pixel_pitch_mm = 24.79", "screen.pixel_pitch_mm", "2 mm"),
    ('letter = "B"', 'letter = "A"', r"services\[1\].letter", "taken by another"),
    ('letter = "B"', 'letter = "b"', r"services\[1\].letter", "one of A to Z"),
    ('letter = "B"', 'letter = "BB"', r"services\[1\].letter", "one of A to Z"),
    ('en = "Cash"', 'en = " "', r"services\[0\].en", "shown and printed"),
    ('en = "Cash"', r'en = "Ca\u0007sh"', r"services\[0\].en", "shown and printed"),
    ('zh = "示例银行·滨江支行"', 'zh = ""', "branch.zh", "shown and printed"),
    ('"400-000-0000"', r'"4\n0"', "branch.complaints_phone", "shown and printed"),
    ('# public_url = "https', 'public_url = "ftp', "branch.public_url", "expected http"),
    ("[[services]]", FIFTH + "[[services]]", "services", "more than four"),
    ("[[services]]", SECOND_PERSON + "[[services]]", "services", "more than one with priority"),
    (
        "counter = 2",
        "counter = 1",
        r"pads\[1\].roles",
        r"counter 1 has a rating pad already, pads\[0\]",
    ),
    ("counter = 3", "counter = 3\nroles = []", r"pads\[2\].roles", '"rating", "caller" or both'),
    (
        "counter = 3",
        'counter = 3\nroles = ["caller", "caller"]',
        r"pads\[2\].roles",
        "'caller' is there twice",
    ),
    ("counter = 3", 'counter = 3\nroles = ["calling"]', r"pads\[2\].roles\[0\]", "calling"),
    ("counter = 2", "counter = 0", r"pads\[1\].counter", "expected 1 to 99"),
    ("counter = 3", 'counter = 3\nfirmware_hashes = ["0g"]', r"pads\[2\].firmware_hashes", "hex"),
    (PAD_2, PAD_1, r"pads\[1\].address", r"is the address of pads\[0\] too"),
    ('"serial:/dev/serial/by-path/platform-xhci-hcd.0', '"/dev/ttyUSB0', "printer.address",
     "expected serial:/dev/NAME or tcp://host:port"),
    ("?baud=115200", "?baud=fast", "printer.address", "baud must be a whole number"),
    ("?baud=115200", "?speed=1", "printer.address", "only baud is known"),
    (f'address = "serial:/dev/serial/by-path/{PAD_1}"', 'address = "tcp://printer"',
     r"pads\[0\].address", "expected tcp://host:port"),
    ('# backend = "escpos"', 'backend = "sim"', "printer.backend", "'sim'; expected escpos"),
    ("counter = 1", 'counter = 1\nbackend = "usb"', r"pads\[0\].backend", "expected serial"),
    ("[broker]", "[broker", "", "not TOML: .* line"),
    ("[broker]", '[printer]\naddress = "tcp://p:1"\n[broker]', "", "not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "key", "says"), WRONG, ids=lambda v: str(v)[:30])
def test_what_is_wrong_is_named(
    tmp_path: Path, there: str, instead: str, key: str, says: str
) -> None:
    assert there in SAMPLE
    path = written(tmp_path, SAMPLE.replace(there, instead, 1))
    where = f": {key}: " if key else ": "
    with pytest.raises(SettingsError, match=f"^{re.escape(str(path))}{where}.*{says}") as raised:
        config.read(path)
    assert "\n" not in str(raised.value), "one sentence, one line"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: there is no such file; copy"):
        config.read(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        config.read(tmp_path)
    binary = tmp_path / "kiosk.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"kiosk\.toml: .*UTF-8"):
        config.read(binary)


def test_a_kiosk_without_services(tmp_path: Path) -> None:
    start, end = SAMPLE.index("[[services]]"), SAMPLE.index("[printer]")
    path = written(tmp_path, "services = []\n" + SAMPLE[:start] + SAMPLE[end:])
    with pytest.raises(SettingsError, match="services: none; a kiosk without"):
        config.read(path)


_values = st.one_of(
    st.none(), st.integers(-5, 100_000), st.floats(), st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.lists(st.integers(), max_size=2), st.just({"letter": "A"}), st.just([{"counter": 1}]),
)  # fmt: skip


KEYS = sorted(
    {line.split(" = ")[0] for line in SAMPLE.splitlines() if re.match("[a-z_]+ =", line)}
)


@given(key=st.sampled_from(KEYS), value=_values)
def test_any_value_of_any_key_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    line = "" if value is None else f"{key} = {_toml(value)}"
    changed = re.sub(rf"(?m)^{key} = .*$", lambda _: line, SAMPLE, count=1)
    path = written(tmp_path_factory.getbasetemp(), changed)
    said = ""
    try:
        config.read(path)
    except SettingsError as error:
        said = str(error)
    assert not said or said.startswith(f"{path}: ")
    assert "\n" not in said


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


UPDATES = '[updates]\nconfig_key = "config.key.pub"\nfirmware_key = "keys/firmware.pub"\n'


def test_updates_and_restore_are_read(tmp_path: Path) -> None:
    pad = 'counter = 1\nunique_id = "e66161"\nrestore = true\nchip = "esp32"'
    path = written(tmp_path, SAMPLE.replace("counter = 1", pad, 1) + UPDATES)
    kiosk = config.read(path)
    assert kiosk.updates == config.UpdatesConfig(
        str(tmp_path / "config.key.pub"), str(tmp_path / "keys/firmware.pub"), 1, 60.0
    )
    assert (kiosk.pads[0].restore, kiosk.pads[0].chip) == (True, "esp32")
    assert config.read(DEPLOY / "kiosk.toml").updates is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SAMPLE + UPDATES + "at_once = 0\n", "updates.at_once: 0; expected 1 to 8 pads"),
        (SAMPLE + UPDATES + "at_once = 9\n", "updates.at_once: 9; expected 1 to 8 pads"),
        (SAMPLE + UPDATES + "quiet_s = -1.0\n", "updates.quiet_s: -1; expected 0 to 3600"),
        (SAMPLE + '[updates]\nfirmware_key = "a"\n', "updates.config_key: missing"),
        (
            SAMPLE.replace("counter = 1", 'counter = 1\nunique_id = "aa"\nrestore = true', 1)
            + '[updates]\nconfig_key = "a"\n',
            r"pads\[0\].restore: needs .* \[updates\] with firmware_key",
        ),
        (
            SAMPLE.replace("counter = 1", "counter = 1\nrestore = true", 1) + UPDATES,
            r"pads\[0\].restore: needs the pad's unique_id",
        ),
        (
            SAMPLE.replace("counter = 1", 'counter = 1\nunique_id = "aa"\nrestore = true', 1),
            r"pads\[0\].restore: needs the pad's unique_id, and \[updates\]",
        ),
    ],
)
def test_updates_that_cannot_work_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        config.read(written(tmp_path, text))
