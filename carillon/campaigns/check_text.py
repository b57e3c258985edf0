"""A campaign's text: read once, then rendered for each creator as it will be rendered for an occurrence."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from carillon.campaigns import creators
from carillon.campaigns.creators import Creator
from carillon.campaigns.drafts import scope
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.occurrences import Occurrence
from carillon.campaigns.report import CampaignReport
from carillon.campaigns.text import Text, TextError, compiled, wrong_character
from carillon.platforms.roster import PLATFORMS

_SAMPLES = 14  # two weeks of days, and as many numbers, show what a text says on other days
_PLACEHOLDER = re.compile(r"(?<!\{)\{[A-Za-z][A-Za-z0-9_.]*\}(?!\})")


def check_text(layers: Layers, creator: Creator | None, folder: Folder, now: datetime, report: CampaignReport) -> None:
    """Without a creator, what is wrong for all of them."""
    given = layers.find("text")
    if given is None:
        return
    try:
        text = compiled(given.value)
    except TextError as error:
        report.value(given.path, _located(error))
        return
    if found := _PLACEHOLDER.search(given.value):
        report.warn(given.path, f"{found[0]} goes out as it stands: names are filled in where braces are double")
    if creator is None or (not text.plain and creators.lost(folder.creators[creator.key], folder, "vars")):
        return
    if not (text.plain and report.seen(given.path, creator.platform)):
        _check_rendered(text, given, layers.campaign.name, creator, now, report)


def _check_rendered(
    text: Text, given: Given, campaign: str, creator: Creator, now: datetime, report: CampaignReport
) -> None:
    try:
        for occurrence, number in _samples(now, _SAMPLES if text.timely else 1):
            rendered = text.render(scope(creator, campaign, occurrence, number))
            _check_words(rendered, given, creator, report)
    except TextError as error:
        report.value(given.path, _located(error), creator.key)


def _check_words(rendered: str, given: Given, creator: Creator, report: CampaignReport) -> None:
    longest = PLATFORMS[creator.platform].limits.text
    if not rendered.strip():
        report.value(given.path, "the text is blank", creator.key)
    if longest is not None and len(rendered) > longest:
        words = f"the text is longer than the {longest:,} characters that {creator.platform} takes"
        report.value(given.path, words, creator.key)
    if (wrong := wrong_character(rendered)) is not None:
        report.value(given.path, f"the character U+{ord(wrong):04X} cannot stand in a text")


def _samples(now: datetime, count: int) -> Iterator[tuple[Occurrence, int]]:
    for number in range(1, count + 1):
        moment = now + timedelta(days=number)
        yield Occurrence("", moment, moment, moment.replace(tzinfo=None)), number


def _located(error: TextError) -> str:
    return f"{error} (line {error.line} of the text)" if error.line > 1 else str(error)
