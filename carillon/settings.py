"""The environment (and `.env` in the working directory) as one frozen Settings, all its faults at once."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from dotenv import load_dotenv
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?/?")


class SettingsError(Exception):
    """One line for each setting that cannot be used; values are never repeated, they may hold passwords."""


def _origin(url: str) -> str:
    if not _ORIGIN.fullmatch(url):
        raise ValueError("must be http(s)://HOST[:PORT], without a path, query or user")
    return url.rstrip("/")


def _database(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg", "sqlite"}:
        raise ValueError("must start with postgresql:// or sqlite:///")
    return url if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return url


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(BaseSettings):
    """What a person may set; each is named CARILLON_… in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="CARILLON_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    campaigns: Path = Path("campaigns.yaml")
    home: Path = Path(".carillon")
    database_url: Annotated[str, AfterValidator(_database)] | None = None
    redis_url: Annotated[str, AfterValidator(_redis)] | None = None
    fanvue_url: Origin | None = None
    frontrow_url: Origin | None = None
    ofauth_url: Origin | None = None
    onlyfansapi_url: Origin | None = None
    http_timeout: float = Field(default=20, gt=0, le=30)
    log: Literal["console", "json"] | None = None

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{self.home / 'carillon.db'}"

    @property
    def platform_urls(self) -> dict[str, str]:
        """Platforms whose address is overridden, and by what."""
        urls = {
            "fanvue": self.fanvue_url,
            "frontrow": self.frontrow_url,
            "ofauth": self.ofauth_url,
            "onlyfansapi": self.onlyfansapi_url,
        }
        return {platform: url for platform, url in urls.items() if url}


def load(**overrides: object) -> Settings:
    """Read the settings; overrides that are None are left to the environment. Raises SettingsError."""
    if os.path.isfile(".env"):
        load_dotenv(".env")
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(fault["loc"][0], fault["msg"]) for fault in error.errors())) from None


def _sentence(field: object, message: str) -> str:
    return f"CARILLON_{str(field).upper()}: {message.removeprefix('Value error, ')}"
