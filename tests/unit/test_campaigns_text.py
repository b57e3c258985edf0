"""Texts: what they may look at, and that nothing else gets through."""

import time
from types import SimpleNamespace

import pytest

from carillon.campaigns.text import TextError, compiled, wrong_character
from carillon.campaigns.text_forms import Scope

SCOPE = Scope(
    creator=SimpleNamespace(
        key="luna",
        name="Luna",
        platform="frontrow",
        vars=SimpleNamespace(emoji="🌙", words=["a", "b"], items="kept", pattern="%1000000000d", form="%d", count=3),
    ),
    campaign=SimpleNamespace(name="friday-drop"),
    occurrence=SimpleNamespace(local="2026-12-04 20:00", date="2026-12-04", weekday="Friday", number=3),
)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hello", "Hello"),
        ("Hello\n", "Hello\n"),
        ("{fan.name} & <b>", "{fan.name} & <b>"),
        ("'; DROP TABLE x;--", "'; DROP TABLE x;--"),
        ("{{ creator.name }}/{{ creator.key }}/{{ creator.platform }}", "Luna/luna/frontrow"),
        ("{{ campaign.name }}", "friday-drop"),
        ("{{ occurrence.local }} {{ occurrence.date }}", "2026-12-04 20:00 2026-12-04"),
        ("{{ occurrence.weekday }} {{ occurrence.number }}", "Friday 3"),
        ("{{ creator.vars.emoji }}{{ creator.vars['emoji'] }}", "🌙🌙"),
        ("{{ creator.vars.items }}", "kept"),
        ("{{ creator.vars.none | default('-') }}", "-"),
        ("{{ creator.vars.none | d }}", ""),
        ("{{ creator.name | upper | replace('L', 'M') }}", "MUNA"),
        ("{{ creator.vars.words | join(', ') }}", "a, b"),
        ("{{ creator.name ~ '!' }}", "Luna!"),
        ("{% if occurrence.weekday == 'Friday' %}TGIF{% else %}no{% endif %}", "TGIF"),
        ("{{ 'odd' if occurrence.number is odd else 'even' }}", "odd"),
        ("{{ occurrence.number % 2 }}", "1"),
        ("{% if creator.vars.none is defined %}x{% endif %}y", "y"),
        ("{% for w in creator.vars.words %}{{ loop.index }}{{ w }}{% endfor %}", "1a2b"),
        ("{% raw %}{{ x }}{% endraw %}{# note #}", "{{ x }}"),
    ],
)
def test_what_a_text_may_say(text: str, rendered: str) -> None:
    assert compiled(text).render(SCOPE) == rendered


@pytest.mark.parametrize(
    "text",
    [
        "{{ nobody }}",
        "{{ creator }}",
        "{{ creator.vars }}",
        "{{ creator.secret }}",
        "{{ creator.__class__ }}",
        "{{ creator['__class__'] }}",
        "{{ creator.vars.__class__ }}",
        "{{ creator.vars.emoji.__class__ }}",
        "{{ creator.name.upper() }}",
        "{{ creator.name[0] }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ self }}",
        "{{ loop }}",
        "{{ range(3) }}",
        "{{ 7*7 }}",
        "{{ 2**99 }}",
        "{{ 'a' * 10**9 }}",
        "{{ creator.vars.count + 1 }}",
        "{{ occurrence.number % 0 }}",
        "{{ 8 % creator.vars.count }}",
        "{{ creator.vars.pattern % 2 }}",
        "{{ creator.vars.form % 2 }}",
        "{{ '%1000000000d' % 2 }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ creator.name | attr('__class__') }}",
        "{{ creator.vars.words | map('upper') }}",
        "{{ creator.vars.words | random }}",
        "{{ creator.vars.words }}",
        "{{ creator.vars.none }}",
        "{{ creator.vars.none | upper }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in creator.vars.none %}x{% endfor %}",
        "{% for a in creator.vars.words %}{% for b in creator.vars.words %}x{% endfor %}{% endfor %}",
        "{% for a in creator.vars.words recursive %}x{% endfor %}",
        "{% for a in creator.vars.words %}{{ a.__class__ }}{% endfor %}",
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro m() %}x{% endmacro %}",
        "{% block b %}x{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% if creator.name > 3 %}x{% endif %}",
        "{{ creator.name",
        "{% if %}",
        "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
        "{{ creator.name" + " | replace('', 'aaaaaaaaaa')" * 40 + " }}",
    ],
)
def test_anything_else_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(TextError, match=r"."):
        compiled(text).render(SCOPE)
    assert time.process_time() - start < 1


def test_a_fault_is_told_with_its_line_of_the_text() -> None:
    with pytest.raises(TextError, match=r"`nobody` is not known") as error:
        compiled("one\ntwo\n{{ nobody }}")
    assert error.value.line == 3


def test_a_form_letter_reads_as_jinja_renders_it() -> None:
    form = "{{ creator.vars.none | default('x') | upper }} {{ creator.name | lower | title }} {{ creator.vars.count }}"
    assert compiled(form).render(SCOPE) == compiled(form + "{% if true %}{% endif %}").render(SCOPE)


@pytest.mark.parametrize(
    ("text", "wrong"), [("a\nb\tc é🌙", None), ("a\rb", "\r"), ("\ud800", "\ud800"), ("\x7f", "\x7f")]
)
def test_characters_that_no_message_holds(text: str, wrong: str | None) -> None:
    assert wrong_character(text) == wrong
