"""What the pages say, in Chinese and English. Pure: figures in, words out."""

from collections.abc import Mapping
from dataclasses import dataclass

from branch.web.teller_words import TELLER_TEXTS

LANGUAGES = ("zh", "en")
UNKNOWN_WAIT = {"zh": "时间未知", "en": "Unknown"}
NO_WAIT = {"zh": "现在不用等", "en": "No wait"}


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language by key; a missing key is a KeyError, found by the tests."""

    lang: str
    html_lang: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The sentence with its {places} filled in. Raises KeyError for an unknown key."""
        return self.texts[key].format(**values)

    def coded(self, kind: str, code: str, otherwise: str) -> str:
        """The words of ``kind.code``; those of the key ``otherwise`` for a code without any, such
        as one of a newer release.
        """
        key = f"{kind}.{code}"
        return self(key if key in self.texts else otherwise)


def wait_words(wait_min: tuple[int, int] | None, lang: str) -> str:
    """The wait in words: "15–25 分钟", "about 5 min", "No wait" for (0, 0), unknown for None."""
    if wait_min is None:
        return UNKNOWN_WAIT[lang]
    low, high = wait_min
    if high == 0:
        return NO_WAIT[lang]
    if low == high:
        return f"约 {low} 分钟" if lang == "zh" else f"about {low} min"
    return f"{low}–{high} " + ("分钟" if lang == "zh" else "min")


def elapsed_words(ms: int) -> str:
    """A duration as a clock reads it: 04:12, 1:04:12 from an hour on; as static/teller.js does."""
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


# Chinese and English by key.
_TEXTS = {
    # the board
    "board.calling": ("正在叫号", "Now calling"),
    "board.counter": ("窗口", "Counter"),
    "board.at_counter": ("号窗口", "Counter"),
    "board.waiting": ("正在等候", "Waiting"),
    "board.people": ("人", ""),
    "board.hours": ("营业", "Open"),
    "board.complaints": ("投诉", "Complaints"),
    "board.promise": ("我们的承诺", "Our promise"),
    "board.promise.wait": ("等候不超过", "longest wait"),
    "board.promise.max": ("{m} 分钟内", "{m} min"),
    "board.kept.none": ("今天还没有人", "nobody yet today"),
    "board.kept.few": ("{n} 人中 {k} 人做到", "kept for {k} of {n}"),
    "board.kept": ("{n} 人中 {p}% 做到", "kept for {p}% of {n}"),
    "board.none": ("还没有叫号", "No calls yet"),
    "board.last_calls": ("停更前的叫号", "Last calls before"),
    "board.unknown": ("人数未知", "Unknown"),
    "board.stopped_at": ("停在", "stopped at"),
    "board.stale": (
        "大屏暂停更新，请听现场叫号。您的号照常有效。",
        "Board not updating. Listen for your number. Your ticket is still valid.",
    ),
    # the display above a counter
    "window.calling": ("请到本窗口", "Please come here"),
    "window.serving": ("正在办理", "Serving"),
    "window.free": ("请等候叫号", "Please wait for your number"),
    "window.paused": ("暂停服务", "Back soon"),
    "window.closed": ("窗口关闭", "Counter closed"),
    "window.stale": ("暂停更新，请听现场叫号。", "Not updating. Listen for your number."),
    # the teller's page: what the counter does
    "counter.title": ("{n} 号窗口", "Counter {n}"),
    "state.closed": ("窗口关闭", "Closed"),
    "state.free": ("空闲", "Free"),
    "state.calling": ("正在呼叫", "Calling"),
    "state.serving": ("正在办理", "Serving"),
    "state.paused": ("暂停服务", "Paused"),
    "timer.paused": ("已暂停", "Paused for"),
    "say.paused": ("窗口暂停叫号", "The counter is paused"),
    "timer.closed": ("已关闭", "Closed for"),
    "timer.free": ("已空闲", "Free for"),
    "timer.calling": ("已呼叫", "Called for"),
    "timer.serving": ("已办理", "Served for"),
    "say.closed": ("窗口关闭", "The counter is closed"),
    "say.free": ("空闲，{waiting}", "Free, {waiting}"),
    "say.calling": ("正在呼叫 {number}", "Calling {number}"),
    "say.serving": ("正在办理 {number}", "Serving {number}"),
    "fact.waited": ("来时等了 {m} 分钟", "Waited {m} min"),
    "fact.calls": ("已叫 {n} 次", "Called {n}×"),
    # why this ticket before an older one
    "reason.emergency": ("紧急", "Emergency"),
    "reason.ratio": ("按比例轮到", "Its group's turn"),
    "reason.appointment": ("预约客户", "Has an appointment"),
    "reason.segment": ("优先客户", "Priority customer"),
    "reason.skill": ("本窗口主办业务", "This counter's own service"),
    "reason.frail": ("不便久等", "Cannot wait"),
    "reason.urgent": ("急事", "Urgent"),
    "reason.agreed": ("已约好", "As agreed"),
    "reason.mistake": ("更正叫号", "To mend a mistake"),
    "reason.manager": ("大堂经理安排", "The lobby manager's word"),
    "people.waiting": ("{n} 人在等", "{n} waiting"),
    "people.none": ("没有人在等", "nobody waiting"),
    # its actions and, where one is not possible now, why
    "do.call-next": ("呼叫下一位", "Call next"),
    "do.start": ("客户已到，开始办理", "Customer is here, start"),
    "do.finish": ("办完，请客户评价", "Finish and ask for a rating"),
    "do.recall": ("重呼", "Recall"),
    "do.miss": ("未到", "No-show"),
    "do.open": ("恢复叫号", "Open again"),
    "do.none": ("窗口关闭，不能叫号", "Closed: no calls from here"),
    "why.recall": ("再叫一次", "Call the number again"),
    "why.miss": ("客户没有来", "The customer did not come"),
    "why.here": ("客户已到", "The customer is here"),
    "why.no_ticket": ("还没有叫号", "No ticket called"),
    "why.finish_first": ("先办完这一位", "Finish this one first"),
    "why.start_first": ("先等这一位", "This one was called first"),
    "why.paused": ("窗口暂停", "Paused"),
    "why.closed": ("窗口关闭", "Closed"),
    # the rating pad
    "pad.ready": ("评价器就绪", "Pad ready"),
    "pad.armed": ("请客户按评价器", "Waiting for a rating"),
    "pad.rated": ("客户已评价，谢谢", "Rated, thank you"),
    "pad.lost": ("评价器没有连上", "Pad not connected"),
    "pad.none": ("这个窗口没有评价器", "No pad at this counter"),
    "pad.ready.note": ("办完后亮起，客户只按一次", "Lit after you finish, one press"),
    "pad.armed.note": ("灯亮着，可以接着叫下一位", "It is lit; you may call the next"),
    "pad.rated.note": ("可以接着叫下一位", "You may call the next"),
    "pad.lost.note": ("照常办理，这一位不评价", "Carry on; no rating for now"),
    "pad.none.note": ("照常办理", "Carry on"),
    "next.title": ("接下来", "Next"),
    "next.minutes": ("{m} 分", "{m} min"),
    "next.order": ("按这个次序叫，不按号码大小。", "Called in this order, not by number."),
    "next.none": ("没有人在等", "Nobody is waiting"),
    # the line to the server
    "link.ok": ("已连接", "Connected"),
    "link.lost": ("已断开，正在重连", "Disconnected, trying again"),
    # why a command did nothing
    "refused.busy": (
        "先办完这一位，再叫下一位。",
        "Finish this customer before you call the next one.",
    ),
    "refused.nobody_waiting": ("现在没有人在等。", "Nobody is waiting now."),
    "refused.no_ticket": ("这个窗口现在没有叫到的号。", "This counter has no called ticket."),
    "refused.already_serving": ("客户已到，正在办理。", "The customer is here already."),
    "refused.paused": ("窗口暂停中，先恢复叫号。", "The counter is paused. Open it again first."),
    "refused.not_open": ("窗口没有开放，先开窗口。", "The counter is not open. Open it first."),
    "refused.call_limit": (
        "已经叫够次数。没有来就按“未到”。",
        "Called often enough. If nobody comes, press No-show.",
    ),
    "refused.too_soon": ("刚叫过，请稍等再叫。", "Called a moment ago. Wait a little."),
    "refused.expired": (
        "窗口已有变化，这一步没有做。请看清再按。",
        "The counter has changed since: nothing was done. Look and press again.",
    ),
    "refused.unsent": (
        "没有送到服务器。请再按一次，不会重复。",
        "The server did not answer. Press again: it counts once.",
    ),
    "lang.switch": ("English", "中文"),
    # signing in
    "sign_in.title": ("登录", "Sign in"),
    "sign_in.name": ("帐号", "Account"),
    "sign_in.password": ("密码", "Password"),
    "sign_in.show": ("显示密码", "Show the password"),
    "sign_in.go": ("登录", "Sign in"),
    "sign_in.hint": (
        "忘了密码，请找分行系统管理员重设。",
        "Forgotten? The branch's administrator can reset it.",
    ),
    "sign_in.wrong": ("帐号或密码不对。", "Account or password is wrong."),
    "sign_in.too_many": (
        "错得太多，请 {s} 秒后再试。",
        "Too many failures. Try again in {s} seconds.",
    ),
    "sign_in.csrf": ("这一页太旧了，请刷新后再登录。", "This page is too old. Load it anew."),
    "sign_in.unsent": ("没有送到服务器，请再试。", "The server did not answer. Try again."),
    "sign_out": ("退出", "Sign out"),
    "sign_out.everywhere": ("在所有设备上退出", "Sign out everywhere"),
    "not_allowed.title": ("这个帐号不能看这一页", "This account may not see this page"),
    "not_allowed.role": ("现在登录的是：{role}", "You are signed in as: {role}"),
    "not_allowed.again": ("换个帐号登录", "Sign in as somebody else"),
    "not_allowed.home": ("回到自己的页面", "Back to your own page"),
    "role.teller": ("柜员", "teller"),
    "role.manager": ("大堂经理", "lobby manager"),
    "role.technician": ("技术人员", "technician"),
    "role.admin": ("管理员", "administrator"),
    "missing.title": ("没有 {n} 号窗口", "There is no counter {n}"),
    "missing.list": ("这里的窗口：", "The counters here:"),
    "counters.title": ("选一个窗口", "Choose a counter"),
}

WORDS = {
    lang: Words(
        lang,
        ("zh-CN", "en")[index],
        {key: texts[index] for key, texts in (_TEXTS | TELLER_TEXTS).items()},
    )
    for index, lang in enumerate(LANGUAGES)
}


def words_for(lang: str) -> Words:
    """The words for ?lang=; what is not "en" is Chinese, the branch's own language."""
    return WORDS["en" if lang.lower().startswith("en") else "zh"]
