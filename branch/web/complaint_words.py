"""What a complaint's page says. Pure."""

from branch.web.hall_words import HALL_WORDS
from branch.web.words import Words

# Chinese and English by key.
_TEXTS = {
    "page.title": ("投诉进度", "My complaint"),
    "page.number": ("投诉编号", "Complaint"),
    "page.unknown": ("没有找到这件投诉", "This complaint was not found"),
    "page.unknown.more": (
        "请核对回执上的二维码，或凭编号问大堂经理。",
        "Check the code on your receipt, or ask a member of staff with its number.",
    ),
    "page.opened": ("{date} 登记", "Registered on {date}"),
    "page.call": ("投诉电话 {phone}", "Complaints: {phone}"),
    "page.privacy": ("不记姓名，不记电话。", "No name and no phone are kept."),
    "state.open": ("已登记，等待处理", "Registered"),
    "state.taken": ("正在处理", "Being looked into"),
    "state.late": ("已超过答复期限，尚未答复", "The answer is late"),
    "state.answered": ("已答复", "Answered"),
    "more.open": ("最迟 {due} 答复。", "It will be answered by {due}."),
    "more.taken": ("最迟 {due} 答复。", "It will be answered by {due}."),
    "more.late": (
        "本应在 {due} 前答复，对不起。请带回执找大堂经理。",
        "It should have been answered by {due}. We are sorry. Please show your receipt to our"
        " staff.",
    ),
    "more.answered": ("{date}：{outcome}", "{date}: {outcome}"),
    "more.answered.ask": (
        "不清楚或不同意？请带回执找大堂经理。",
        "Unclear, or you disagree? Please show your receipt to our staff.",
    ),
}
_SHARED = ("topic.", "outcome", "lang.switch")
COMPLAINT_WORDS = {
    lang: Words(
        lang,
        words.html_lang,
        {key: texts[lang == "en"] for key, texts in _TEXTS.items()}
        | {key: text for key, text in words.texts.items() if key.startswith(_SHARED)},
    )
    for lang, words in HALL_WORDS.items()
}
