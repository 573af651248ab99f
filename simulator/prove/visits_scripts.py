"""The visitors of ``lobby prove visits``: what each wants, touches and sees, in their words."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hal.body import GuideKey
from simulator.prove import databases
from simulator.prove.small_disk import SmallDisk
from simulator.prove.visits_ears import Listener
from simulator.prove.visits_house import APPOINTMENT
from simulator.prove.visits_people import NUMBER, Visitor, on, slip_out, speaks

OFFLINE_WORDS = "网络暂时断开"
CARD = "6222020200112233"
"""An account of nobody, in the range of such numbers."""
NOTHING_S = 1.0
DISK_BYTES, LEFT_BYTES = 8 * 1024 * 1024, 1536 * 1024
"""The kiosk's disk, and what is free when it starts: too little for a reserve."""
BACK_S = 30.0
QUIET_S = 60.0
"""Nobody has touched the kiosk for 30 s by then."""


@dataclass(frozen=True, slots=True)
class Script:
    """One visitor. ``ends``: with a "slip", or with the number on the "screen"; ``disk``: the
    kiosk has a small disk of its own, which the script may fill; ``guide``: it has the audio
    guide; ``segment`` is the one of the branch's queue.
    """

    name: str
    title: str
    play: Callable[[Visitor, SmallDisk | None], Awaitable[None]]
    ends: str = "slip"
    disk: bool = False
    guide: bool = False
    segment: str = "ordinary"


async def ordinary(me: Visitor, _: SmallDisk | None) -> None:
    """One tap."""
    await me.sees("I come in to pay in some cash. Nobody is at the kiosk.", on("home"))
    await me.taps("service.A", "I touch the row for cash, the first one.", slip_out)
    await me.leaves("done", "I take the slip and touch Done; somebody waits behind me.")


async def elderly(me: Visitor, _: SmallDisk | None) -> None:
    """Large print first; the person would be one tap away."""
    await me.sees("I do not see well, and I am in no hurry.", on("home", "service.P", "access"))
    await me.taps(
        "access", "I touch the sign for easier use.", on("access", "access.simple"), mode=True
    )
    await me.taps("access.simple", "I switch on large print.", on("access"), mode=True)
    await me.taps("access.go", "I touch Ready.", on("home", "exit"), mode=True)
    await me.taps("service.A", "Only what I know is left. I touch Cash.", slip_out)
    await me.leaves("done", "I have the slip in my hand.")


async def person(me: Visitor, _: SmallDisk | None) -> None:
    """The green button of the first screen."""
    await me.sees("I would rather talk to somebody.", on("home", "service.P"))
    await me.taps("service.P", "I touch the green row: a person.", slip_out)
    await me.leaves("done", "The slip says where to go.")


async def wheelchair(me: Visitor, _: SmallDisk | None) -> None:
    """Every control in the lower half; looked at before each tap."""
    await me.sees("I sit, and reach up to the middle of the screen.", on("home"))
    await me.taps("access", "The sign is at the bottom. I touch it.", on("access"), mode=True)
    if "low" not in me.spoiled:
        words = "I switch on: controls lower down."
        await me.taps("access.low", words, on("access"), mode=True)
    seen = await me.taps("access.go", "I touch Ready.", on("home"), mode=True)
    me.reaches(seen)
    seen = await me.taps("service.A", "All rows are in reach now. Cash.", slip_out)
    me.reaches(seen)
    await me.leaves("done", "Slip taken.")


async def english(me: Visitor, _: SmallDisk | None) -> None:
    """The other language, and a service with papers to bring."""
    await me.sees("I do not read Chinese, but one button says English.", on("home"))
    await me.taps("language", "I touch it.", speaks("en"))
    if "taps" in me.spoiled:
        await me.taps("language", "I touch it again.", speaks("zh_CN"))
        await me.taps("language", "And again.", speaks("en"))
    await me.taps("service.B", "My card is lost: Cards & accounts.", on("triage", "counter"))
    await me.taps("counter", "I have both papers. To the counter.", slip_out)
    await me.leaves("done", "The slip is in English, too.")


async def vip(me: Visitor, _: SmallDisk | None) -> None:
    """A card that the branch knows; nobody else can tell."""
    me.house.knows_card(CARD, "vip")
    await me.sees("I am a private client, and would not have it shouted.", on("home"))
    await me.house.card.device.swipe(f";{CARD}=2912101?")
    await asyncio.sleep(NOTHING_S)
    await me.sees("I draw my card through the reader. Nothing changes.", on("home"))
    await me.taps("service.A", "I touch Cash, as everybody does.", slip_out)
    await me.leaves("done", "A slip like any other.")


async def appointment(me: Visitor, _: SmallDisk | None) -> None:
    """A code at the reader, and the same one again on the pad: it has become its ticket."""
    code = APPOINTMENT["code"]
    await me.sees(
        "I have an appointment for 10:25, and its code on my phone.", on("home", "check_in")
    )
    if "code" in me.spoiled:
        await me.taps("service.B", "I forget that I have a code.", on("triage", "counter"))
        await me.taps("counter", "To the counter.", slip_out)
        return
    await me.house.card.device.swipe(f"L1:{code}")
    await me.sees("I hold the code to the reader.", on("code_said", "counter"))
    await me.taps("counter", "It is my appointment. I touch the button.", slip_out)
    await me.leaves("done", "Slip taken.")
    await me.taps(
        "check_in", "Have I checked in? I want to be sure, and ask again.", on("code", "digit.1")
    )
    words = "I type six digits, one tap each. It is my number, no second one; no slip comes."
    seen = await me.types(code, words, on("code_said", "done"))
    me.visit.facts["shown_again"] = [
        number for text in seen.texts for number in NUMBER.findall(text["text"])
    ]
    await me.leaves("done", "Good.")


async def blind(me: Visitor, _: SmallDisk | None) -> None:
    """Four keys and ears; the number is heard, and asked for once more."""
    if "ear" in me.spoiled:
        me.house.ear.break_it("missing")
    listener = Listener(me)
    await me.sees(
        "I do not see. My fingers find four keys, my headphone is in. The kiosk is quiet.",
        on("attract"),
        QUIET_S,
    )
    await listener.presses(
        GuideKey.NEXT, "I press any key, and am told what the keys do.", "四个键", on("home")
    )
    await listener.finds("现金业务", "The next one is Cash.", on("home"))
    told = await listener.presses(
        GuideKey.SELECT, "I choose it, and hear my number.", "请取小票", slip_out
    )
    listener.hears_number(told)
    await listener.presses(GuideKey.REPEAT, "Once more, please.", re.escape(told), slip_out)
    await listener.finds("好了", "I have the slip, and look for Done.", slip_out)
    await listener.presses(
        GuideKey.SELECT, "I press it. The guide says that it ends.", "引导结束", on("home")
    )


async def offline(me: Visitor, _: SmallDisk | None) -> None:
    """The branch server is away; the ticket reaches it when it is back."""
    house = me.house
    await house.branch_off()
    await me.sees(
        "The screen says that the network is down, and that it gives numbers all the same.",
        on("home", "service.A", words=OFFLINE_WORDS),
    )
    await me.taps("service.A", "I touch Cash.", slip_out)
    visit = me.visit
    visit.facts["journalled_offline"] = sorted(databases.numbers(house.journal))
    visit.facts["stored_offline"] = [row["number"] for row in me.house.tickets()]
    await me.leaves("done", "I have my slip.")
    if "sync" not in me.spoiled:
        await house.branch_on()
        await house.until(lambda: me.house.tickets(), BACK_S)
    visit.facts["stored_after"] = [row["number"] for row in me.house.tickets()]


async def no_paper(me: Visitor, _: SmallDisk | None) -> None:
    """The number stays on the screen until the visitor says that it is noted."""
    me.house.printer.paper_out()
    await me.sees("The roll is empty, and nobody has noticed yet.", on("home"))
    await me.taps(
        "service.A",
        "I touch Cash. No slip comes, the number is here.",
        on("no_slip", "acknowledge"),
    )
    if "acknowledge" in me.spoiled:
        return
    await me.leaves("acknowledge", "I write it down and say so.")
    me.house.printer.load_paper()


async def full_disk(me: Visitor, disk: SmallDisk | None) -> None:
    """What cannot be kept is not given. The reserve for tickets is used up, too."""
    assert disk is not None
    await me.sees("I come to pay in cash.", on("home"))
    if "disk" not in me.spoiled:
        disk.fill(0)
    before = len(me.visit.numbers)
    await me.taps(
        "service.A",
        "I touch Cash. The machine says that it is out of order, and where to go.",
        lambda seen: seen.screen not in ("home", "triage"),
    )
    await asyncio.sleep(NOTHING_S)
    await me.look()
    me.visit.facts["shown_while_full"] = me.visit.numbers[before:]
    me.visit.facts["journalled_while_full"] = sorted(databases.numbers(me.house.journal))
    disk.free()
    if "disk" in me.spoiled:
        return
    await me.sees("Staff made room. The first screen is back by itself.", on("home"), BACK_S)
    await me.taps("service.A", "I touch Cash again.", slip_out)
    await me.leaves("done", "Now I have a slip.")


SCRIPTS = (
    Script("ordinary", "An ordinary visitor", ordinary),
    Script("person", "Somebody who wants a person", person, segment="priority"),
    Script("elderly", "An elderly visitor, in large print", elderly),
    Script("wheelchair", "A visitor in a wheelchair", wheelchair),
    Script("english", "A visitor who reads English", english),
    Script("vip", "A private client, by card", vip, segment="vip"),
    Script("appointment", "A visitor with an appointment", appointment, segment="appointment"),
    Script("blind", "A blind visitor, by keys and ears", blind, guide=True),
    Script("offline", "The branch server is away", offline),
    Script("no_paper", "The printer is out of paper", no_paper, ends="screen"),
    Script("full_disk", "The kiosk's disk is full", full_disk, disk=True),
)
"""In the order of the document."""

SPOILS = {
    "taps": "english",
    "slip": "ordinary",
    "low": "wheelchair",
    "secret": "vip",
    "sync": "offline",
    "acknowledge": "no_paper",
    "disk": "full_disk",
    "code": "appointment",
    "ear": "blind",
}
"""What ``--without`` can take away, and the visitor who is to notice."""
