"""What a kiosk must refuse before a byte reaches a pad: for ``lobby prove updates``."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from branch.config import UpdatesConfig as BranchUpdates
from branch.configuration import Wanted, read_wanted
from firmware.flash.bundle import Bundle
from firmware.flash.keys import PUBLIC_SUFFIX, make_signing_key
from kiosk.config import UpdatesConfig
from kiosk.desired import DesiredKeeper, Refusal
from simulator.firmware_builds import build_firmware, public_key
from simulator.prove.proof import Proof, Say
from sync.configuration import Configuration, DesiredConfig

NODE = "kiosk-1"


def refused_at_the_kiosk(folder: Path, good: Bundle, proof: Proof, say: Say) -> int:
    """Offer a keeper one good configuration and several bad ones; how many it refused."""
    config_key = folder / "config.key"
    make_signing_key(config_key)
    stranger = folder / "stranger"
    other_key = stranger / "config.key"
    make_signing_key(other_key)
    other = build_firmware(stranger, good.version, name="stranger")
    older = build_firmware(folder, "1.4.9", floor="1.4.0", name="older-at-kiosk")
    newer = build_firmware(folder, "1.7.0", floor="1.4.0", name="newer-at-kiosk")
    chip = build_firmware(folder, "1.7.0", chip="rp2", name="chip-at-kiosk")

    def message(
        bundle: Bundle,
        version: int,
        *,
        key: Path = config_key,
        maker: Path | None = None,
        change: Callable[[Wanted], Wanted] = lambda wanted: wanted,
        node: str = NODE,
    ) -> DesiredConfig:
        wanted = read_wanted(
            BranchUpdates(str(key), str(maker or public_key(folder)), [str(bundle.path)])
        )
        assert wanted is not None
        wanted = change(wanted)
        return wanted.signed(
            Configuration(node=node, version=version, issued_ms=0, firmware=list(wanted.firmware))
        )

    def torn(wanted: Wanted) -> Wanted:
        bundle = wanted.bundles[0]
        name = "slot/firmware/pad/pad.mpy"
        files = bundle.files | {name: bytes(len(bundle.files[name]))}
        return Wanted(wanted.key, wanted.firmware, [msgspec.structs.replace(bundle, files=files)])

    first = message(good, 5)
    text = first.config.replace('"version":5', '"version":9')
    cases = [
        ("a signature by another key", message(newer, 6, key=other_key), "signature"),
        ("a text changed after it was signed", msgspec.structs.replace(first, config=text),
         "signature"),
        ("firmware signed by another key",
         message(other, 6, maker=public_key(stranger)), "signature"),
        ("a damaged file", message(newer, 6, change=torn), "not the file that was signed"),
        ("another chip", message(chip, 6), "the pads here are linux"),
        ("an older configuration", message(newer, 4), "is older than 5"),
        ("the same version, another text", message(newer, 5), "is here already"),
        ("older firmware", message(older, 6), "firmware 1.4.9 is older than"),
        ("another kiosk's", message(newer, 6, node="kiosk-2"), "it is for kiosk-2"),
    ]  # fmt: skip
    data = folder / "kiosk"
    settings = UpdatesConfig(
        config_key=str(config_key) + PUBLIC_SUFFIX, firmware_key=str(public_key(folder))
    )
    keeper = DesiredKeeper(data, NODE, settings, frozenset({"linux"}))
    keeper.take(first)
    refused = 0
    for name, bad, must_say in cases:
        said = "taken"
        try:
            keeper.take(bad)
        except Refusal as error:
            said = str(error)
        if must_say in said:
            refused += 1
            say(f"refused at the kiosk, {name}: {said}")
        else:
            proof.violate(f"at the kiosk, {name}: {said}, expected {must_say!r}")
        again = DesiredKeeper(data, NODE, settings, frozenset({"linux"}))
        again.load()
        if again.now is None or again.now.text != first.config:
            proof.violate(f"at the kiosk, {name}: the last good configuration did not stay")
    shutil.rmtree(data)
    return refused
