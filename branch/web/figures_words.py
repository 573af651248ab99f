"""What the page of figures says, in Chinese and English. Pure."""

from branch.web.words import LANGUAGES, WORDS, Words

_TEXTS = {
    "title": ("今日数据", "The day in figures"),
    "of": ("{branch} · {date}", "{branch}, {date}"),
    "made": ("更新于 {clock}", "As of {clock}"),
    "reload": ("刷新", "Refresh"),
    "date": ("日期", "Date"),
    "show": ("查看", "Show"),
    "before": ("前一天", "Day before"),
    "after": ("后一天", "Day after"),
    "today": ("今天", "Today"),
    "csv": ("下载数据（CSV）", "Figures (CSV)"),
    "csv.tickets": ("下载每张票（CSV）", "Every ticket (CSV)"),
    "empty": ("这一天没有取号记录。", "No tickets on this day."),
    "empty.apart": ("只有未邀评的按键，见下。", "Only presses without a request, below."),
    "bad_date": (
        "没有这个日期：{date}。请写成 2026-11-23。",
        "There is no such date: {date}. Write it like 2026-11-23.",
    ),
    # the tickets of the day
    "tickets": ("取号", "Tickets"),
    "issued": ("取号", "Issued"),
    "walk_ins": ("其中无票直接办理", "of these without a ticket"),
    "served": ("已办", "Served"),
    "missed": ("过号", "No-show"),
    "left": ("放弃", "Left"),
    "unfinished": ("还在办", "Not over yet"),
    "voided": ("作废", "Voided"),
    # satisfaction
    "satisfaction": ("满意程度", "Satisfaction"),
    "satisfied": ("顾客满意率", "Satisfaction rate"),
    "satisfied.how": (
        "4 分和 5 分，占评价的人",
        "4 or 5 of 5, of those who rated",
    ),
    "participation": ("参与率", "Participation"),
    "participation.how": ("{n} 人评价，{served} 人办完", "{n} rated of {served} served"),
    "n": ("n", "n"),
    "interval": ("95% 区间", "95 % interval"),
    "few": ("样本少", "too few"),
    "none": ("没有", "none"),
    "branch": ("全网点", "Branch"),
    "service": ("业务", "Service"),
    "teller": ("柜员", "Teller"),
    "teller.unknown": ("{n} 号窗口，没有登录", "Counter {n}, nobody signed in"),
    "hour": ("时段", "Hour"),
    "by_service": ("按业务", "By service"),
    "by_teller": ("按柜员", "By teller"),
    "by_hour": ("按取号时段", "By hour of the ticket"),
    "scores": ("1–5 分各有", "Scores 1–5"),
    # waits
    "waits": ("等候", "Waits"),
    "waits.how": (
        "从取号到第一次叫号，分:秒",
        "From issue to the first call, min:s",
    ),
    "services": ("办理", "Service times"),
    "services.how": ("每次到窗口办理的时间，分:秒", "Each part at a counter, min:s"),
    "mean": ("平均", "Mean"),
    "p50": ("中位", "Median"),
    "p90": ("P90", "P90"),
    "longest": ("最长", "Longest"),
    "abandoned": ("放弃率", "Share that left"),
    "abandoned.how": (
        "放弃的，占已经结束的票",
        "of the tickets that are over",
    ),
    "chart.waits": (
        "横条从中位到 P90，分钟",
        "Bars from median to P90, minutes",
    ),
    "chart.hours": ("每小时取号", "Tickets by hour"),
    # forecasts
    "cover": ("预测准不准", "Were the forecasts true"),
    "cover.how": (
        "实际等候落在 P10–P90 里的，应有八成",
        "Waits inside P10–P90; eight of ten should be",
    ),
    "inside": ("落在区间里", "Inside"),
    "no_wait": ("预测不用等", "Forecast: no wait"),
    "unknown": ("没有预测", "No forecast"),
    # presses apart
    "apart": ("未邀评的按键，不算评价", "Presses that are no ratings"),
    "apart.none": ("没有未邀评的按键。", "No presses without a request."),
    "counter": ("窗口", "Counter"),
    "unsolicited": ("没有邀评", "Not asked for"),
    "repeated": ("重复", "Repeated"),
    "invalid": ("无效", "Invalid"),
    # what was said
    "voices": ("客户说了什么", "What customers said"),
    "voices.none": ("今天没有。", "Nothing on this day."),
    "voices.kind": ("方式", "How"),
    "voices.what": ("内容", "What"),
    "voices.reason": ("低分原因", "Reason of a low rating"),
    "voices.suggestion": ("建议", "Suggestion"),
    "voices.complaint": ("投诉", "Complaint"),
    "said.waiting": ("等得太久", "Long wait"),
    "said.windows": ("窗口太少", "Too few counters"),
    "said.attitude": ("服务态度", "Attitude"),
    "said.slow": ("办得太慢", "Slow service"),
    "said.error": ("办错没办成", "Error or not solved"),
    "said.fees": ("收费", "Fees"),
    "said.environment": ("大厅环境", "The hall"),
    "said.other": ("别的原因", "Something else"),
    "said.waits": ("少等一会", "Shorter waits"),
    "said.counters": ("多开窗口", "More counters"),
    "said.hours": ("延长营业", "Longer hours"),
    "said.machines": ("多些机器", "More machines"),
    "said.words": ("说得明白", "Clearer words"),
    "said.seats": ("多些座位", "More seats"),
    "said.access": ("方便残障长者", "Easier access"),
}

FIGURES_WORDS = {
    lang: Words(
        lang,
        WORDS[lang].html_lang,
        {**WORDS[lang].texts, **{key: texts[index] for key, texts in _TEXTS.items()}},
    )
    for index, lang in enumerate(LANGUAGES)
}
