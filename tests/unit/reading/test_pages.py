"""What was written on a page, slide, sheet or section comes back as that one, whatever the file is called."""

import io
import re
from collections import Counter
from email.message import EmailMessage

import docx
import openpyxl
import pptx
import pytest

from documents.reading import kinds
from tests.unit.reading import files
from tests.unit.reading.world import opened, texts

LONG = "Words that fill a section of this plan, one after the other, up to the end. " * 30


def saved(file: object) -> bytes:
    out = io.BytesIO()
    file.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def word_file() -> bytes:
    file = docx.Document()
    for heading, level in (("Scope", 1), ("Costs", 1), ("Staff", 2)):
        file.add_heading(heading, level)
        file.add_paragraph(LONG)
    table = file.add_table(2, 2)
    table.cell(1, 1).text = "forty"
    return saved(file)


def presentation() -> bytes:
    file = pptx.Presentation()
    for number in range(1, 4):
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = f"Title {number}"
        slide.placeholders[1].text = f"Point {number}"
        slide.notes_slide.notes_text_frame.text = f"Say {number}"
    slide = file.slides.add_slide(file.slide_layouts[6])
    slide.shapes.add_table(2, 2, 0, 0, 100, 100).table.cell(1, 0).text = "in a cell"
    slide.shapes.add_group_shape().shapes.add_textbox(0, 0, 100, 100).text_frame.text = "in a group"
    file.slides.add_slide(file.slide_layouts[6])
    return saved(file)


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Plan für November"
    mail["From"] = "Ada <ada@example.org>"
    mail.set_content("Here is the plan.")
    return mail


def test_pages_of_a_pdf_are_read_by_number() -> None:
    content = files.pdf([f"This is page {number}." for number in range(1, 31)])
    found, reading = opened(content, "plan.pdf", pages=(21, 30))
    assert (found.media_type, found.unit, found.pages) == ("application/pdf", "page", 30)
    assert [(page.number, page.place.label, page.text) for page in reading.pages] == [
        (number, f"page {number}", f"This is page {number}.") for number in range(21, 31)
    ]
    assert not reading.bad


def test_a_pdf_of_ten_thousand_pages_is_read_from_any_page() -> None:
    content = files.pdf([f"Page {number}" for number in range(1, 10_001)])
    found, reading = opened(content, pages=(9_991, 10_000))
    assert found.pages == 10_000
    assert [page.text for page in reading.pages] == [f"Page {number}" for number in range(9_991, 10_001)]


def test_chinese_and_japanese_and_right_to_left_text_of_a_pdf_reads_as_it_is_spoken() -> None:
    lines = ["Привет, план готов", "项目计划", "プロジェクト計画", "שלום עולם"]
    content = files.unicode_pdf([*lines[:3], lines[3][::-1]])
    assert texts(content) == {"page 1": "\n".join(lines)}


@pytest.mark.parametrize("boxed", [False, True], ids=["lines", "boxes"])
def test_a_table_that_is_drawn_on_a_page_is_a_table(boxed: bool) -> None:
    rows = [["Item", "Price", "When"], ["paper", "120|130", "June"], ["", "40", "July"]]
    content = files.pdf([files.ruled_table("Costs by item", rows, "as of May", boxed=boxed)])
    assert texts(content)["page 1"].split("\n") == [
        "Costs by item",
        "",
        "| Item | Price | When |",
        "| --- | --- | --- |",
        "| paper | 120\\|130 | June |",
        "|  | 40 | July |",
        "",
        "as of May",
    ]


def test_a_page_with_lines_through_its_words_loses_none_of_them() -> None:
    lines = b"".join(
        b"40 %d m 300 %d l S %d 600 m %d 760 l S\n" % (y, y, y - 560, y - 560) for y in range(600, 760, 11)
    )
    words = "These words are crossed by many lines that are no table at all"
    content = b"BT /F1 11 Tf 45 700 Td (%s) Tj ET\n" % words.encode()
    (found,) = texts(files.pdf([content + lines])).values()
    assert Counter(re.findall(r"\w+", found)) == Counter(words.split())


def test_sections_of_a_word_file_are_known_by_their_headings() -> None:
    found, reading = opened(word_file())
    assert found.pages is None
    assert [page.place.label for page in reading.pages] == ["Scope", "Costs", "Costs > Staff"]
    assert "|  | forty |" in reading.pages[2].text


def test_words_in_a_text_box_are_read_once() -> None:
    box = f"<w:txbxContent>{files.paragraph('words in a box')}</w:txbxContent>"
    drawn = (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
        f"<w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
        "</w:r></w:p>"
    )
    found = texts(files.docx(files.paragraph("before") + drawn + files.paragraph("after")))
    assert " ".join(found.values()).count("words in a box") == 1
    assert {"before", "after"} <= set(found["text"].split())


def test_what_stands_beside_a_word_text_is_read_behind_it() -> None:
    file = docx.Document()
    file.add_heading("Scope", 1)
    paragraph = file.add_paragraph("The deposit is due in May.")
    file.add_comment(paragraph.runs, text="Was it not June?", author="Ada")
    file.sections[0].header.paragraphs[0].text = "Draft of the contract"
    file.add_section().header.is_linked_to_previous = False
    file.sections[1].header.paragraphs[0].text = "Draft of the contract"
    note = f'<w:footnotes {files.WORD}><w:footnote w:id="2">{files.paragraph("net of tax")}</w:footnote></w:footnotes>'
    found = texts(files.with_member(saved(file), "word/footnotes.xml", note))
    assert list(found) == ["Scope", "footnotes", "comments", "headers and footers"]
    assert found["footnotes"] == "net of tax"
    assert found["comments"] == "Ada on “The deposit is due in May.”: Was it not June?"
    assert found["headers and footers"] == "Draft of the contract"


def test_what_stands_beside_an_open_document_text_is_read_behind_it() -> None:
    comment = "<office:annotation><dc:creator>Ada</dc:creator><text:p>Was it not June?</text:p></office:annotation>"
    header = "<style:header><text:p>Draft of the contract</text:p></style:header>"
    content = files.opendocument("text", f"<text:p>The deposit is due in May.{comment}</text:p>")
    found = texts(files.with_member(content, "styles.xml", files.styles(header)))
    assert list(found) == ["text", "comments", "headers and footers"]
    assert found["comments"] == "Ada: Was it not June?"
    assert found["headers and footers"] == "Draft of the contract"


def test_slides_come_with_titles_tables_and_notes_and_empty_ones_keep_their_number() -> None:
    _, reading = opened(presentation())
    assert [page.place.label for page in reading.pages] == [f"slide {number}" for number in range(1, 6)]
    assert reading.pages[1].text == "# Title 2\n\nPoint 2\n\nNotes:\n\nSay 2"
    assert reading.pages[3].text == "|  |  |\n| --- | --- |\n| in a cell |  |\n\nin a group"
    assert reading.pages[4].is_blank


def test_slides_of_open_document_are_read_like_those_of_powerpoint() -> None:
    slides = "".join(
        f'<draw:page><draw:frame presentation:class="title"><text:p>T{number}</text:p></draw:frame><draw:frame>'
        f"<text:p>point {number}</text:p></draw:frame></draw:page>"
        for number in (1, 2)
    )
    assert texts(files.opendocument("presentation", slides)) == {
        "slide 1": "# T1\n\npoint 1",
        "slide 2": "# T2\n\npoint 2",
    }


@pytest.mark.parametrize(
    "content",
    [
        f"<html><head><title>x</title><meta name='author' content='a'></head><body><h1>Scope</h1><p>{LONG}</p><h2>Out"
        f"</h2><p>{LONG}</p></body></html>".encode(),
        files.opendocument(
            "text",
            f'<text:h text:outline-level="1">Scope</text:h><text:p>{LONG}</text:p><text:h text:outline-level="2">Out'
            f"</text:h><text:p>{LONG}</text:p>",
        ),
        files.docx(
            '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Scope</w:t></w:r></w:p>'
            + files.paragraph(LONG)
            + '<w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>Out</w:t></w:r></w:p>'
            + files.paragraph(LONG)
        ),
    ],
    ids=["html", "odt", "docx"],
)
def test_a_section_is_labelled_by_the_headings_above_it(content: bytes) -> None:
    found = texts(content)
    assert list(found) == ["Scope", "Scope > Out"]
    assert all(LONG.strip() in text for text in found.values())


def test_chapters_of_a_book_are_sections() -> None:
    assert list(texts(files.epub({"First": LONG, "Second": LONG}))) == ["First", "Second"]


def test_markdown_is_known_by_its_name_and_fences_are_no_headings() -> None:
    text = f"# Plan\n\n{LONG}\n\n```sh\n# not a heading\n```\n\n## Risks\n\n{LONG}\n"
    assert list(texts(text.encode(), "plan.md")) == ["Plan", "Plan > Risks"]
    assert list(texts(text.encode(), "plan.txt")) == ["lines 1-11"]


def test_headings_without_text_and_short_subsections_stay_with_what_they_head() -> None:
    text = f"# Plan\n\n# Scope\n\nshort\n\n## In\n\none\n\n## Out\n\ntwo\n\n# Costs\n\n{LONG}"
    assert list(texts(text.encode(), "plan.md")) == ["Scope", "Costs"]


def test_a_long_text_is_cut_at_its_paragraphs_and_loses_nothing() -> None:
    paragraphs = [f"Paragraph {number}. {LONG[:600]}" for number in range(60)]
    pages = opened("\n\n".join(paragraphs).encode(), "long.txt")[1].pages
    assert "\n\n".join(page.text for page in pages).split("\n\n") == paragraphs
    assert pages[1].place.label.startswith("lines ")
    assert max(len(page.text) for page in pages) <= 12_000


def test_rich_text_is_read() -> None:
    content = rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Times;}}\b Plan\b0\par Caf\'e9 \u1055?\par}"
    assert "Café П" in texts(content)["text"]


WORKBOOK = openpyxl.Workbook()
WORKBOOK.active["A1"] = "cell"

KINDS = {
    kinds.PDF: files.pdf(["text"]),
    kinds.DOCX: word_file(),
    kinds.PPTX: presentation(),
    kinds.XLSX: saved(WORKBOOK),
    kinds.ODT: files.opendocument("text", "<text:p>text</text:p>"),
    kinds.ODS: files.opendocument(
        "spreadsheet",
        "<table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell></table:table-row></table:table>",
    ),
    kinds.ODP: files.opendocument("presentation", "<draw:page><text:p>x</text:p></draw:page>"),
    kinds.RTF: rb"{\rtf1\ansi text}",
    kinds.EPUB: files.epub({"One": "text"}),
    kinds.HTML: b"<!DOCTYPE html><html><body><p>text</p></body></html>",
    kinds.EML: bytes(message()),
    kinds.MSG: files.outlook("Plan", "The plan.", {}),
    kinds.ZIP: files.zipped({"a.txt": "text"}),
    kinds.SEVEN_ZIP: files.seven_zip({"a.txt": b"text"}),
    kinds.TEXT: b"text",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["file", "file.pdf", "file.docx"])
def test_a_file_is_what_its_bytes_are_and_not_what_its_name_says(kind: str, name: str) -> None:
    found, reading = opened(KINDS[kind], name)
    assert found.media_type == kind
    assert any(not page.is_blank for page in reading.pages)
