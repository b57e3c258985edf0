"""The file that `carillon init` writes."""

from importlib.resources import files


def starter() -> str:
    return files("carillon.campaigns").joinpath("starter.yaml").read_text(encoding="utf-8")
