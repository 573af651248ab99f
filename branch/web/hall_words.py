"""What the lobby manager's page says, besides the words of every page. Pure."""

from branch.web.words import WORDS, Words

# Chinese and English by key.
_TEXTS = {
    "hall.title": ("{branch}大厅", "{branch}, lobby"),
    "hall.waiting": ("在等", "waiting"),
    "hall.people": ("{n} 人", "{n}"),
    "hall.minutes": ("{n} 分", "{n} min"),
    "hall.longest": ("{service}，等得最久", "{service}, longest wait"),
    "hall.nobody": ("没有人在等", "nobody waits"),
    "hall.counters_open": ("窗口开着", "counters open"),
    "hall.alerts": ("要您处理的 {n} 件", "{n} for you"),
    "hall.quiet": ("现在没有要处理的事", "Nothing needs you now"),
    "hall.order": ("最急的在上面", "Most urgent first"),
    "age.now": ("刚刚", "just now"),
    "age.seconds": ("{n} 秒前", "{n} s ago"),
    "age.minutes": ("{n} 分前", "{n} min ago"),
    "age.hours": ("{n} 小时前", "{n} h ago"),
    "stale": (
        "已断开：下面是 {clock} 的情形，可能已经变了",
        "Disconnected: this is how it was at {clock}, it may have changed",
    ),
    # the alerts
    "alert.wait": ("{service}超过承诺时间", "{service}: waits over the promise"),
    "alert.wait.note": (
        "{number} 等了 {m} 分，承诺 {limit} 分",
        "{number} has waited {m} min, promise {limit} min",
    ),
    "alert.wait.more": ("，另有 {n} 位", ", and {n} more"),
    "alert.service": ("{counter} 号窗口办理超时", "Counter {counter}: service over standard"),
    "alert.service.note": (
        "{number} 办了 {m} 分，标准 {limit} 分",
        "{number} served for {m} min, standard {limit} min",
    ),
    "alert.idle": ("{counter} 号窗口空着没叫号", "Counter {counter} is free and calls nobody"),
    "alert.idle.note": (
        "有人等{service}，已空 {m} 分",
        "Somebody waits for {service}; free for {m} min",
    ),
    "alert.line": ("{service}排队太长", "{service}: the line is too long"),
    "alert.line.note": ("{n} 人在等，标准 {limit} 人", "{n} waiting, standard {limit}"),
    "alert.unhappy": ("{counter} 号窗口，不满意", "Counter {counter}, unhappy"),
    "alert.unhappy.1": ("{number}，很不满意", "{number}, very unhappy"),
    "alert.unhappy.2": ("{number}，不满意", "{number}, unhappy"),
    "alert.help": ("{node}，请人工", "{node}: a person, please"),
    "alert.help.note": ("{number}，{service}", "{number}, {service}"),
    "alert.help.home": ("按了求助", "Help was pressed"),
    "alert.help.feedback": ("在意见建议页按了求助", "Help was pressed on the feedback screen"),
    "alert.help.reason": (
        "评了 {counter} 号窗口，想当面说 {number}",
        "rated counter {counter}, wants to talk {number}",
    ),
    "alert.no_slip": ("{node}，没拿到小票", "{node}: no slip"),
    "alert.no_slip.note": ("{number}，号有效", "{number}, the number is valid"),
    "alert.device": ("{subject}：{fault}", "{subject}: {fault}"),
    "alert.device.note": ("{place}", "{place}"),
    "device.printer": ("打印机", "Printer"),
    "device.pad": ("{n} 号窗口的评价器", "Pad of counter {n}"),
    "device.bus": ("评价器总线", "Bus of the pads"),
    "device.card": ("读卡器", "Card reader"),
    "node.kiosk": ("{n} 号取号机", "Kiosk {n}"),
    "node.server": ("服务器", "Server"),
    "seen": ("已处理", "Seen to"),
    "taken": ("有人去了", "Somebody is on the way"),
    "taken.by": ("{by} 去了", "{by} is on the way"),
    # what is wrong with a device
    "fault.paper_out": ("缺纸", "out of paper"),
    "fault.paper_near_end": ("纸快用完", "paper near its end"),
    "fault.cover_open": ("打印机盖开着", "printer cover open"),
    "fault.cutter": ("切刀卡住", "cutter jammed"),
    "fault.unavailable": ("没有连上", "not connected"),
    "fault.link_lost": ("断开了", "cut off"),
    "fault.stuck_key": ("按键卡住", "a key is stuck"),
    "fault.revoked": ("已停用", "withdrawn"),
    "fault.jammed": ("被占住", "jammed"),
    "fault.display_lost": ("{n} 号窗口的显示屏没有连上", "display of counter {n} not connected"),
    "fault.silent": ("没有应答", "does not answer"),
    "fault.link": ("没有连上", "not connected"),
    "fault.lost": ("失去联系", "not reachable"),
    "fault.fault": ("故障", "fault"),
    "fault.audio_lost": ("叫号没有声音", "no sound for calls"),
    "fault.storage_low": ("存储快满", "storage nearly full"),
    "fault.storage_full": ("存储已满，停止取号", "storage full, no tickets"),
    "fault.not_authorised": ("没有权限", "not authorised"),
    "fault.fork": ("记录不一致", "records differ"),
    # what can be done
    "do.take": ("我去", "I will go"),
    "do.recovered": ("已安抚", "Recovered"),
    "do.answered": ("我来了", "I am here"),
    "do.reopen": ("撤销", "Undo"),
    "do.open-counter": ("增开 {counter} 号窗口", "Open counter {counter}"),
    "do.close-counter": ("关闭", "Close"),
    "do.issue": ("代取号", "Give a ticket"),
    "do.reissue": ("补号", "Show again"),
    "do.tag": ("标记", "Tag"),
    "do.untag": ("撤销标记", "Undo the tag"),
    "do.shut": ("好了", "Done"),
    # the tabs
    "tab.alerts": ("提醒", "Alerts"),
    "tab.hall": ("大厅", "Lobby"),
    "tab.counters": ("窗口", "Counters"),
    "tab.issue": ("取号", "Ticket"),
    "tickets.none": ("没有人在等", "Nobody is waiting"),
    "ticket.reissued": ("补过 {n} 次", "shown again {n}×"),
    "ticket.choose": ("这位客户是", "This customer is"),
    "issue.title": ("哪项业务？", "Which service?"),
    "issue.note": (
        "给不方便用取号机的客户。号码显示在手机上，请客户记下或拍照。",
        "For customers who do not use the kiosk. The number is shown here: let them note it.",
    ),
    "shown.title": ("请客户记下这个号", "Let the customer note this number"),
    "shown.ahead": ("前面 {n} 人", "{n} ahead"),
    "shown.again": (
        "同一个号，位置不变。先到窗口的那位办理。",
        "The same number and place. Whoever comes to the counter with it first is served.",
    ),
    "phase.waiting": ("在等", "waiting"),
    "phase.parked": ("暂存", "set aside"),
    "phase.called": ("已叫号", "called"),
    "window.open": ("开着", "open"),
    "window.paused": ("暂停", "paused"),
    "window.elastic": ("备用", "in reserve"),
    "window.closed": ("关闭", "closed"),
    "window.free": ("空闲", "free"),
    # segments
    "segment.ordinary": ("普通", "Ordinary"),
    "segment.corporate": ("对公", "Business"),
    "segment.vip": ("贵宾", "VIP"),
    "segment.elderly": ("长者", "Senior"),
    "segment.disabled": ("残障", "Disabled"),
    "segment.pregnant": ("孕产", "Pregnant"),
    "segment.military": ("军人", "Military"),
    "segment.priority": ("优先", "Priority"),
    "segment.appointment": ("预约", "Appointment"),
    "segment.emergency": ("紧急", "Emergency"),
    # why nothing was done
    "refused.unknown_alert": ("这件事已经过去了。", "This is over already."),
    "refused.not_by_hand": (
        "问题解决后会自动消除。",
        "It is cleared by itself when what is wrong is over.",
    ),
    "refused.unknown_ticket": ("没有这个号。", "There is no such ticket."),
    "refused.wrong_phase": ("这个号已经不在等候。", "This ticket does not wait any more."),
    "refused.unknown_segment": ("没有这个客户类别。", "There is no such kind of customer."),
    "refused.unknown_service": ("没有这项业务。", "There is no such service."),
    "refused.no_number": ("今天的号已取完。", "No number is left today."),
    "refused.paused": ("窗口的柜员在休息。", "The teller of this counter is on a break."),
    "refused.busy_counter": ("窗口还有客户，先办完。", "The counter still has a customer."),
}
REFUSED = (
    "unknown_alert", "not_by_hand", "unknown_ticket", "wrong_phase", "unknown_segment",
    "unknown_service", "no_number", "unsent", "paused", "not_open",
)  # fmt: skip

HALL_WORDS = {
    lang: Words(
        lang,
        words.html_lang,
        {**words.texts, **{key: texts[lang == "en"] for key, texts in _TEXTS.items()}},
    )
    for lang, words in WORDS.items()
}


def hall_words(lang: str) -> Words:
    """The words for ?lang=; what is not "en" is Chinese."""
    return HALL_WORDS["en" if lang.lower().startswith("en") else "zh"]
