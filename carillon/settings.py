"""The environment (and `.env` in the working directory) as one frozen Settings, all its faults at once.

A setting may also be a file of its name in lower case (`carillon_database_url`) in the folder that a service manager
names in CREDENTIALS_DIRECTORY, so that no secret has to stand in an environment.
"""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import load_dotenv
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?/?")
_NO_BLANKS = re.compile(r"[!-~]+")
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


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
    from redis import Redis

    place = urlsplit(url)
    if place.scheme != "unix" and place.path.strip("/") and not place.path.strip("/").isdigit():
        raise ValueError("must end with the number of a database, as in redis://HOST:6379/0")
    try:
        Redis.from_url(url).connection_pool.make_connection()
    except (TypeError, ValueError):
        raise ValueError("has a port or a parameter that Redis does not know") from None
    return url


def _urls(text: object) -> object:
    """Split before each scheme: an address of several recipients has commas of its own."""
    return tuple(_BETWEEN_URLS.split(text.strip())) if isinstance(text, str) else text


def _web(url: str) -> str:
    try:
        place = urlsplit(url)
        right = place.scheme in {"http", "https"} and place.hostname and place.port != 0 and _NO_BLANKS.fullmatch(url)
    except ValueError:
        right = False
    if not right:
        raise ValueError("must be https://HOST/PATH or http://HOST/PATH")
    return url


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(BaseSettings):
    """What a person may set; each is named CARILLON_… in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="CARILLON_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    campaigns: Path = Path("campaigns.yaml")
    home: Path = Path(".carillon")
    database_url: Annotated[str, AfterValidator(_database)] | None = Field(default=None, repr=False)
    redis_url: Annotated[str, AfterValidator(_redis)] | None = Field(default=None, repr=False)
    fanvue_url: Origin | None = None
    frontrow_url: Origin | None = None
    ofauth_url: Origin | None = None
    onlyfansapi_url: Origin | None = None
    fanvue_auth_url: Origin | None = None
    fanvue_client_id: str | None = None
    fanvue_client_secret: str | None = Field(default=None, repr=False)
    secret_key: str | None = Field(default=None, repr=False)
    http_timeout: float = Field(default=20, gt=0, le=30)
    health_port: int | None = Field(default=None, ge=1, le=65535)
    alarm_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_urls)] = Field(default=(), repr=False)
    ping_url: Annotated[str, AfterValidator(_web)] | None = Field(default=None, repr=False)
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = Field(default=8080, ge=0, le=65535)
    dashboard_password: str | None = Field(default=None, repr=False)
    log: Literal["console", "json"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A file that was left empty is as good as none, like a variable."""
        return {name: value for name, value in given.items() if value != ""}

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{self.home / 'carillon.db'}"

    @property
    def rates(self) -> Path:
        """Where the processes of this home count their requests, if there is no Redis."""
        return self.home / "rates"

    @property
    def uploads(self) -> Path:
        """Where media lie that are to be uploaded; schedulers and workers on several hosts share it."""
        return self.home / "uploads"

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

    @property
    def dashboard_is_open(self) -> bool:
        """Whether others than this machine could reach the dashboard without a password."""
        try:
            here = ip_address(self.dashboard_host).is_loopback
        except ValueError:
            here = self.dashboard_host == "localhost"
        return not here and self.dashboard_password is None


def load(**overrides: object) -> Settings:
    """Read the settings; overrides that are None are left to the environment. Raises SettingsError."""
    try:
        if os.path.isfile(".env"):
            load_dotenv(".env")
        given = {name: value for name, value in overrides.items() if value is not None}
        return Settings(_secrets_dir=_credentials(), **given)  # type: ignore[arg-type]
    except (UnicodeDecodeError, UnreadableError):
        raise SettingsError(".env, or a file in CREDENTIALS_DIRECTORY, is not text in UTF-8") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(fault["loc"][0], fault["msg"]) for fault in error.errors())) from None


def _credentials() -> str | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder if folder and os.path.isdir(folder) else None


def _sentence(field: object, message: str) -> str:
    return f"CARILLON_{str(field).upper()}: {message.removeprefix('Value error, ')}"
