"""Public words while nobody is at the kiosk: when they begin, and what they show. Pure."""

from dataclasses import replace

from kiosk.view import LANGUAGES, AttractView, Header, Words
from kiosk.visit import Effect, Phase, StartTimer, Timer, Visit, fresh
from sync.offer import Content


def slides(content: Content) -> int:
    """How many pictures there are: each slide in each language."""
    return len(LANGUAGES) * (len(content.slides) + bool(content.commitments_zh))


def quiet(visit: Visit) -> tuple[Visit, tuple[Effect, ...]]:
    """Nobody has touched the first screen for a while: begin to show."""
    if visit != fresh(visit) or not visit.slides:
        return visit, ()
    return replace(visit, phase=Phase.ATTRACT), (StartTimer(Timer.SLIDE),)


def following(visit: Visit) -> tuple[Visit, tuple[Effect, ...]]:
    """The next picture."""
    return replace(visit, slide=(visit.slide + 1) % visit.slides), (StartTimer(Timer.SLIDE),)


def attract_view(content: Content, visit: Visit, header: Header) -> AttractView:
    """The picture of the moment: one slide after the other, each in the branch's own language
    and then in the other ones.
    """
    own = [language for language in LANGUAGES if language == visit.default_language]
    order = [*own, *(language for language in LANGUAGES if language not in own)]
    number, turn = divmod(visit.slide, len(order))
    language = order[turn]
    if number < len(content.slides):
        slide = content.slides[number]
        title: dict[str, str] = Words(zh_CN=slide.zh, en=slide.en)
        lines = {"zh_CN": slide.text_zh, "en": slide.text_en}
        icon: str = slide.icon
    else:
        title = {}
        lines = {"zh_CN": content.commitments_zh, "en": content.commitments_en}
        icon = "check"
    return AttractView(language, header, title, tuple(lines[language]), icon)
