"""The accessibility gate on the real window: good screens pass, each spoiled one is named."""

import pytest

from simulator.prove.kiosk import Gate, measured

pytestmark = pytest.mark.window


async def gate(tmp_path, **options) -> Gate:
    return await measured(tmp_path, tmp_path / "marked", jobs=2, **options)


async def test_a_sample_of_screens_has_no_fault(tmp_path):
    found = await gate(tmp_path, only="home,home-offline,ticket,no-slip,out-of-service")
    assert found.faults == []
    assert set(found.languages) == {"zh_CN", "en"}
    assert found.screens == 5 * len(found.modes) * 2 * 2
    assert found.worst["target_mm"][0] >= 20
    assert found.worst["capital_mm"][0] >= 7.3
    assert found.worst["text_contrast"][0] >= 4.5
    assert found.worst["ring_contrast"][0] >= 3
    assert not list((tmp_path / "marked").rglob("*.png"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("target", "home plain en large: language: 18.8 mm, at least 20"),
        ("contrast", "home plain en large: 'Deposit, withdraw': "),
        ("room", "home plain en large: 'Tap once and take your ticket. There is"),
        ("ring", "home plain zh_CN large: check_in: ring 1.00:1, at least 3"),
        ("translation", "home plain en large: '您好，请选择业务' is not in en"),
    ],
)
async def test_a_spoiled_kiosk_fails_with_the_screen_s_name_and_a_marked_picture(
    tmp_path, spoil, words
):
    found = await gate(tmp_path, only="home", spoil=spoil, sizes=("large",))
    assert any(fault.startswith(words) for fault in found.faults), found.faults
    assert (tmp_path / "marked" / "large" / "home-plain-en.png").stat().st_size > 10_000
