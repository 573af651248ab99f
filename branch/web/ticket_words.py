"""What a ticket's page says. Pure."""

from branch.web.words import WORDS, Words

_TEXTS = {
    "page.title": ("我的号", "My ticket"),
    "page.unknown": ("没有找到这个号", "This ticket was not found"),
    "page.unknown.more": (
        "号码只保留到第二天。请看小票，或问大堂经理。",
        "A ticket is kept until the next day. Look at your slip or ask a member of staff.",
    ),
    "page.lost": ("已断开，下面的内容可能已经变了。", "Disconnected: this may have changed."),
    "page.order": (
        "号码可能不按顺序叫，请留意大屏和广播。",
        "Numbers may be called out of order. Watch the board.",
    ),
    "page.privacy": ("只记号码，不记姓名。", "We keep the number, not your name."),
    "state.waiting": ("正在等候", "Waiting"),
    "state.called": ("请到 {n} 号窗口", "Please go to counter {n}"),
    "state.serving": ("{n} 号窗口正在办理", "Being served at counter {n}"),
    "state.parked": ("暂存，稍后再叫", "Set aside, called later"),
    "state.missed": ("过号了，请找大堂经理", "You missed your call. Please ask our staff."),
    "state.served": ("已办完", "Finished"),
    "state.over": ("这个号已结束", "This ticket is over"),
    "page.ahead": ("前面 {n} 人", "{n} ahead"),
    "page.wait": ("大约还要等 {a}–{b} 分钟", "About {a}–{b} more minutes"),
    "page.wait.now": ("现在估计还要 {a}–{b} 分钟", "Now we expect about {a}–{b} more minutes"),
    "page.wait.unknown": (
        "还要等多久，现在说不准。",
        "How much longer it takes, we cannot say now.",
    ),
    "late.promise": (
        "对不起，您已等 {m} 分钟。我们承诺这项业务最长等 {limit} 分钟，没有做到。",
        "We are sorry: you have waited {m} minutes. We promise {limit} at most for this service,"
        " and did not keep it.",
    ),
    "late.slip": (
        "对不起，您已等 {m} 分钟，比小票上说的 {a}–{b} 分钟久。",
        "We are sorry: you have waited {m} minutes, longer than the {a}–{b} on your slip.",
    ),
    "late.slip.none": (
        "对不起，您已等 {m} 分钟，小票上说不用等。",
        "We are sorry: you have waited {m} minutes, and your slip says that there is no wait.",
    ),
    "late.do": (
        "您的位置不变。大堂经理就在大厅，可以请他帮忙。",
        "You keep your place. Our staff in the lobby can help.",
    ),
    "late.later": (
        "小票上有查询码的，也可以在取号机输入它，选晚点再叫。",
        "If your slip has a code, you can also type it at the kiosk and be called later.",
    ),
    "page.rate": ("这次服务怎么样？", "How was it?"),
    "page.why": ("哪一点没做好？不点也可以。", "What went wrong? You may skip this."),
    "page.thanks": ("谢谢，已经记下了。", "Thank you, it is noted."),
    "page.refused": ("没有记下，请再试。", "Not noted. Please try again."),
    "level.5": ("非常满意", "Very happy"),
    "level.4": ("满意", "Happy"),
    "level.3": ("一般", "Neutral"),
    "level.2": ("不满意", "Unhappy"),
    "level.1": ("很不满意", "Very unhappy"),
    "why.waiting": ("等得太久", "Long wait"),
    "why.windows": ("窗口太少", "Too few counters"),
    "why.attitude": ("服务态度", "Attitude"),
    "why.slow": ("办得太慢", "Slow service"),
    "why.error": ("办错没办成", "Error or not solved"),
    "why.fees": ("收费问题", "Fees"),
    "why.environment": ("大厅环境", "The hall"),
    "why.other": ("别的原因", "Something else"),
}
TICKET_WORDS = {
    lang: Words(
        lang,
        words.html_lang,
        {key: texts[lang == "en"] for key, texts in _TEXTS.items()}
        | {"lang.switch": words.texts["lang.switch"]},
    )
    for lang, words in WORDS.items()
}
