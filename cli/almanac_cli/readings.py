"""What was understood of documents, in lines of markup: differences, analyses, commitments."""

from almanac_cli.client import Document
from almanac_cli.output import escape

_SAID = {
    "other_date": "another date",
    "other_owner": "somebody else",
    "dropped": "taken back",
    "open_again": "open again",
}


def changes(diff: Document) -> list[str]:
    """Return what changed between two versions: how much, and each passage before and after."""
    lines = [escape(diff["summary"][0])] if diff["summary"] else ["Nothing changed."]
    for change in diff["items"]:
        lines += ["", f"[bold]{escape(change['says'])}[/bold]"]
        lines += [f"[red]- {escape(change['before']['text'])}[/red]"] if change["before"] else []
        lines += [f"[green]+ {escape(change['after']['text'])}[/green]"] if change["after"] else []
    return lines


def analysis(found: Document) -> list[str]:
    """Return what a document says about its project, each finding with its place."""
    lines = [f"[dim]by {escape(found['method'])}, ranked by {escape(found['ranked_by'])}[/dim]"]
    lines += [f"[dim]{escape(found['fallback'])}[/dim]"] if found["fallback"] else []
    for name, entries in found["findings"].items():
        if entries:
            lines += ["", f"[bold]{escape(name.capitalize())}[/bold]"]
            lines += [f"  {_finding(entry)}" for entry in entries]
    return lines


def commitments(found: Document) -> list[str]:
    """Return what was promised, what became of it, and where both are said."""
    lines: list[str] = []
    for each in found["items"]:
        about = ", ".join(escape(part) for part in (each["who"] or "nobody named", each["when"] or "no date"))
        lines.append(f"[bold]{each['status']}[/bold] {escape(each['what'])} ({about})")
        lines.append(f"  {_statement(each['promised'])}")
        lines += [f"  {_SAID.get(later['says'], later['says'])}: {_statement(later)}" for later in each["later"]]
    lines = lines or ["Nothing is promised."]
    compared = f"{found['documents_compared']} documents compared by {found['matched_by']}"
    more = "" if found["is_complete"] else "; the project has more than is compared at once"
    return [*lines, f"[dim]{compared}{more}[/dim]"]


def _finding(entry: Document) -> str:
    spans = entry.get("spans") or [entry["span"]]
    words = [entry.get("what") or entry.get("name") or entry.get("text") or ""]
    words += [entry[name] for name in ("who", "state", "likelihood", "impact", "mitigation", "says") if entry.get(name)]
    words += [entry["when"]["written"]] if entry.get("when") else []
    return f"{escape(' · '.join(words))} [dim]({escape(spans[0]['label'])})[/dim]"


def _statement(said: Document) -> str:
    place = escape(f"{said['title']}, {said['label']}, {said['document_date']}")
    return f'"{escape(said["quote"])}" [dim]({place}; {said["document_id"]})[/dim]'
