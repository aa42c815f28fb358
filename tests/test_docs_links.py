"""Every relative link in README.md and docs/ leads to a file and, where it names one, to a heading of that file."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [page for page in (REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))) if page.exists()]

CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def links(text: str) -> list[str]:
    """Targets of the inline, reference and HTML links of a Markdown page, those in code left out."""
    return [next(filter(None, match)) for match in LINK.findall(CODE.sub("", text))]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a Markdown page."""
    found: set[str] = set()
    for heading in HEADING.findall(re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        n = 0
        while (unique := f"{slug}-{n}" if n else slug) in found:
            n += 1
        found.add(unique)
    return found


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    text, broken = page.read_text(encoding="utf-8"), []
    for link in links(text):
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_resolve(page):
    assert not broken_links(page), f"{page.relative_to(REPOSITORY)} links to what is not there"


def test_broken_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# One `batch` flows: how?\n\n# Twice\n\n# Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[here](#first-heading) [file](other.md) [part](other.md#one-batch-flows-how) [again](other.md#twice-1)\n"
        "[web](https://example.org/x) ![figure](missing.png) [gone](absent.md 'title') [no part](other.md#two)\n"
        "[ref]: nowhere.md\n`[code](not_a_link.md)`\n```\n[code](neither.md)\n```\n# First heading\n"
    )
    assert broken_links(page) == ["missing.png", "absent.md", "other.md#two", "nowhere.md"]
