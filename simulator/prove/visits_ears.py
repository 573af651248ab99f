"""A visitor before the real kiosk who does not see it: by the four keys and what is heard. The
pictures are for who reads of it.
"""

from collections.abc import Callable

from hal.body import GuideKey
from simulator.ears import NeverHeard, Sightless, number_in, said
from simulator.prove.visits_people import Lost, Visitor
from simulator.screen import Description


class Listener:
    """Presses and hears for ``me``, and touches nothing. What is not heard is Lost."""

    def __init__(self, me: Visitor) -> None:
        self._me = me
        self._hands = Sightless(me.house.ear)
        self._hands.keys = me.house.keys.device
        self._told = 0

    async def presses(
        self, key: GuideKey, words: str, hears: str, until: Callable[[Description], bool]
    ) -> str:
        """Press a key and listen until ``hears`` (a pattern) is said; returns all of that."""
        try:
            await self._hands.press(key)
            heard = said(await self._hands.hears(hears))
        except NeverHeard as error:
            raise Lost(f"{self._me.visit.name}: {error}") from error
        await self._keep(words, [key], until)
        return heard

    async def finds(self, label: str, words: str, until: Callable[[Description], bool]) -> None:
        """Press "next" until a control is heard that begins with ``label``."""
        before = self._hands.presses
        try:
            await self._hands.go_to(label)
        except NeverHeard as error:
            raise Lost(f"{self._me.visit.name}: {error}") from error
        await self._keep(words, [GuideKey.NEXT] * (self._hands.presses - before), until)

    def hears_number(self, told: str) -> None:
        """Note the number that is in what was heard, "" for none."""
        self._me.visit.facts["number_heard"] = number_in(told, "zh_CN")

    async def _keep(
        self, words: str, keys: list[GuideKey], until: Callable[[Description], bool]
    ) -> None:
        self._me.visit.presses += len(keys)
        begun = self._hands.transcript
        heard, self._told = begun[self._told :], len(begun)
        seen = await self._me.wait(words, until)
        await self._me.keep(
            words, seen, picture=self._me.visit.ticket_taps < 0,
            keys=[key.value for key in keys], heard=heard,
        )  # fmt: skip
