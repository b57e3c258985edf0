"""Where keys come from, and that no error ever shows one."""

import os
from pathlib import Path

import pytest
import structlog

from carillon.platforms import credentials
from carillon.platforms.credentials import CredentialError


def keep(path: Path, text: bytes, mode: int = 0o600) -> str:
    path.write_bytes(text)
    path.chmod(mode)
    return f"file:{path}"


@pytest.mark.parametrize("kept", ["sk_live", "  sk_live\n", "clé"])
def test_a_key_is_read_and_stripped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    monkeypatch.setenv("LUNA_KEY", kept)
    assert credentials.read("env:LUNA_KEY") == kept.strip()
    assert credentials.read(keep(tmp_path / "key", kept.encode(), 0o400)) == kept.strip()


@pytest.mark.parametrize("kept", ["5ecret\nX: y", "5ecret\r", "5ec\x00ret", "5ecret€", "5ec\x7fret", "5ec\x85ret"])
def test_a_key_that_no_header_can_carry(tmp_path: Path, kept: str) -> None:
    reference = keep(tmp_path / "key", f"{kept}x".encode())
    with pytest.raises(CredentialError, match="line break or a letter") as error:
        credentials.read(reference)
    assert reference in str(error.value)
    assert "5ec" not in str(error.value)


@pytest.mark.parametrize("kept", ["", " \n "])
def test_an_empty_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    monkeypatch.setenv("LUNA_KEY", kept)
    for reference in ("env:LUNA_KEY", keep(tmp_path / "key", kept.encode())):
        with pytest.raises(CredentialError, match=f"{reference}: empty"):
            credentials.read(reference)


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUNA_KEY", raising=False)
    with pytest.raises(CredentialError, match="env:LUNA_KEY: not set; set LUNA_KEY"):
        credentials.read("env:LUNA_KEY")


@pytest.mark.parametrize("mode", [0o602, 0o622, 0o666, 0o620])
def test_a_file_that_others_may_change(tmp_path: Path, mode: int) -> None:
    with pytest.raises(CredentialError, match="others may change it; run chmod 600") as error:
        credentials.read(keep(tmp_path / "key", b"5ecret", mode))
    assert "5ecret" not in str(error.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, why in [
        (tmp_path / "none", "No such file"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path, "not a file"),
        (Path("/dev/null"), "not a file"),
        (tmp_path / "nul\x00", "not a path"),
    ]:
        with pytest.raises(CredentialError, match=why):
            credentials.read(f"file:{path}")


@pytest.mark.parametrize("reference", ["5ecret", "sk:5ecret", "env:", "file:", "", "ENV:5ecret"])
def test_what_is_no_reference_is_not_repeated(reference: str) -> None:
    with pytest.raises(CredentialError, match="env:NAME or file:PATH") as error:
        credentials.read(reference)
    assert "5ecret" not in str(error.value)


def test_a_digest_tells_keys_apart_without_keeping_them() -> None:
    assert credentials.digest("5ecret") == credentials.digest("5ecret") != credentials.digest("5ecret2")
    assert "5ecret" not in credentials.digest("5ecret")


def test_a_file_that_everybody_may_read_is_told_of_once(tmp_path: Path) -> None:
    reference = keep(tmp_path / "key", b"5ecret", 0o644)
    with structlog.testing.capture_logs() as told:
        assert credentials.read(reference) == credentials.read(reference) == "5ecret"
    assert [entry["file"] for entry in told] == [str(tmp_path / "key")]
    assert "5ecret" not in str(told)
