"""What is sealed opens with the key that sealed it, also behind a new one, and with no other."""

import base64

import pytest

from carillon.platforms.sealing import Keyring, SealError

FERNET = base64.urlsafe_b64encode(bytes(range(32))).decode()
PHRASE = "correct horse battery"


@pytest.mark.parametrize(
    "key", [FERNET, PHRASE, "ä" * 16, "x" * 43 + "="], ids=["Fernet", "text", "no ASCII", "like Fernet"]
)
def test_another_process_with_that_key_opens_it(key: str) -> None:
    sealed = Keyring(key).seal("a token")
    assert "token" not in sealed
    assert Keyring(f" {key} ,").open(sealed) == "a token"


def test_the_first_key_seals_and_all_open() -> None:
    before = Keyring(PHRASE).seal("a token")
    both = Keyring(f"{FERNET},{PHRASE}")
    assert both.open(before) == "a token"
    assert Keyring(FERNET).open(both.seal("another")) == "another"
    with pytest.raises(SealError, match="does not open"):
        Keyring(PHRASE).open(both.seal("another"))


def test_what_was_altered_does_not_open() -> None:
    sealed = Keyring(FERNET).seal("a token")
    with pytest.raises(SealError, match="log in again") as told:
        Keyring(FERNET).open(sealed[:-5] + "AAAA=")
    assert FERNET not in str(told.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [(None, "is not set"), ("", "is not set"), (" , ", "is not set"), ("short", "16"), (f"{FERNET},short", "16")],
)
def test_a_key_that_is_missing_or_short_is_told(keys: str | None, said: str) -> None:
    with pytest.raises(SealError, match=said) as told:
        Keyring(keys).seal("a token")
    assert "short" not in str(told.value)
