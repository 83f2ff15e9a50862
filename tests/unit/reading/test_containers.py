"""Mail and archives: what lies in a file is read like a file, and known by where it lies."""

import gzip
import io
import tarfile
from email.message import EmailMessage

import pytest

from almanac.text.cells import cells
from documents.reading.model import Limits
from tests.unit.reading import files
from tests.unit.reading.test_sheets import workbook
from tests.unit.reading.world import opened, refusal, texts


def mail(*attachments: tuple[str, bytes], html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Plan für November"
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "Bo <bo@example.org>"
    message.set_content("Here is the plan.")
    if html:
        message.add_alternative(html, subtype="html")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def tar(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_mail_is_its_headers_and_its_text() -> None:
    (page,) = opened(bytes(mail(html="<p>Here is the <b>plan</b>.</p>")))[1].pages
    assert page.place.label == "message"
    assert page.text.split("\n") == [
        "**Subject**: Plan für November",
        "**From**: Ada <ada@example.org>",
        "**To**: Bo <bo@example.org>",
        "",
        "Here is the plan.",
    ]


def test_a_mail_of_html_alone_is_read() -> None:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message["Subject"] = "Plan"
    message.set_content("<h1>Plan</h1><p>By <b>May</b></p>", subtype="html")
    assert "# Plan\n\nBy **May**" in texts(bytes(message))["message"]


def test_attachments_are_cited_by_their_name_and_page() -> None:
    content = mail(("plan.pdf", files.pdf(["one", "two"])), ("costs.xlsx", workbook(Costs={"B3": "Item", "B4": "pen"})))
    pages = opened(bytes(content))[1].pages
    assert [(page.place.unit, page.place.label) for page in pages[1:]] == [
        ("attachment", "attachment plan.pdf > page 1"),
        ("attachment", "attachment plan.pdf > page 2"),
        ("sheet", "attachment costs.xlsx > sheet Costs"),
    ]
    assert cells(pages[3].place, 3, 3) == "B4"
    assert [page.number for page in pages] == [1, 2, 3, 4]


def test_a_forwarded_mail_is_an_attachment() -> None:
    outer = EmailMessage()
    outer["From"] = "bo@example.org"
    outer["Subject"] = "Fwd"
    outer.set_content("See below.")
    outer.add_attachment(mail(("a.txt", b"attached words")))
    found = texts(bytes(outer))
    assert "Here is the plan." in found["attachment message > message"]
    assert found["attachment message > attachment a.txt > lines 1-1"] == "attached words"


def test_pictures_in_a_mail_are_told_of_and_make_nothing_incomplete() -> None:
    reading = opened(bytes(mail(("logo.png", b"\x89PNG\r\n\x1a\n" + bytes(60)))))[1]
    assert not reading.bad
    assert reading.warnings == ["attachment logo.png was left out: It is a picture."]


def test_a_damaged_attachment_is_named_and_the_rest_is_read() -> None:
    word = files.docx(files.paragraph("text"))
    reading = opened(bytes(mail(("bad.docx", word[: len(word) // 2]), ("good.txt", b"good words"))))[1]
    assert [(bad.label, bad.code) for bad in reading.bad] == [("attachment bad.docx", "corrupt")]
    assert reading.pages[-1].text == "good words"


def test_an_outlook_message_is_read_with_its_attachments() -> None:
    found = texts(files.outlook("Plan for November", "Here is the plan.", {"notes.txt": b"attached notes"}))
    assert "Plan for November" in found["message"]
    assert "Here is the plan." in found["message"]
    assert found["attachment notes.txt > text"] == "attached notes"


@pytest.mark.parametrize(
    "content",
    [
        files.zipped({"docs/plan.txt": "the plan", "docs/": b""}),
        tar(**{"docs/plan.txt": b"the plan"}),
        gzip.compress(tar(**{"docs/plan.txt": b"the plan"})),
    ],
    ids=["zip", "tar", "tar.gz"],
)
def test_members_of_an_archive_are_cited_by_their_path(content: bytes) -> None:
    assert texts(content, "archive.bin") == {"docs/plan.txt > lines 1-1": "the plan"}


def test_a_packed_file_is_that_file() -> None:
    assert texts(gzip.compress(b"# Plan\n\nwords"), "plan.md.gz") == {"Plan": "# Plan\n\nwords"}


def test_an_archive_of_seven_zip_is_read() -> None:
    found = texts(files.seven_zip({"plan.txt": b"the plan", "more/notes.md": b"# Notes\n\nfew"}))
    assert found == {"plan.txt > text": "the plan", "more/notes.md > Notes": "# Notes\n\nfew"}


def test_archives_may_lie_in_archives_three_deep_and_no_deeper() -> None:
    content = files.zipped({"plan.txt": "the plan"})
    for _ in range(2):
        content = files.zipped({"inner.zip": content})
    assert list(texts(content)) == ["inner.zip > inner.zip > plan.txt > lines 1-1"]
    assert refusal(files.zipped({"inner.zip": content})) == "hostile"


def test_names_that_point_outside_are_left_out_and_told_of() -> None:
    content = files.zipped({"../../etc/passwd.txt": "evil", "/abs.txt": "evil", "c:\\x.txt": "evil", "ok.txt": "good"})
    reading = opened(content)[1]
    assert [page.text for page in reading.pages] == ["good"]
    assert {bad.code for bad in reading.bad} == {"hostile"}
    assert len(reading.bad) == 3


def test_links_in_an_archive_are_not_followed() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert refusal(out.getvalue()) == "empty"


def test_more_members_than_allowed_are_refused() -> None:
    content = files.zipped({f"{number}.txt": "x" for number in range(30)})
    assert refusal(content, limits=Limits(members=20)) == "too_large"


def test_an_archive_that_breaks_off_gives_what_came_before() -> None:
    content = gzip.compress(b"".join(b"line %d of a log\n" % number for number in range(5_000)))
    reading = opened(content[: len(content) // 2], "app.log.gz")[1]
    assert reading.pages[0].text.startswith("line 0 of a log")
    assert [bad.code for bad in reading.bad] == ["corrupt"]
