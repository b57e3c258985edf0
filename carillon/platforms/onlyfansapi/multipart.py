"""A form as `multipart/form-data` (RFC 7578), streamed: its file is never in memory as a whole."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from carillon.platforms.contract import Raw
from carillon.platforms.parts import Source


def form(boundary: str, fields: Mapping[str, str], source: Source | None) -> Raw:
    """The fields, and then the file as `file`; `boundary` must be in none of them."""
    head = b"".join(_field(boundary, name, value) for name, value in fields.items())
    head += _file_head(boundary, source) if source else b""
    end = (b"\r\n" if source else b"") + f"--{boundary}--\r\n".encode()

    def chunks() -> Iterator[bytes]:
        yield head
        if source:
            yield from source.read(0, source.size)
        yield end

    return Raw(len(head) + (source.size if source else 0) + len(end), chunks)


def _field(boundary: str, name: str, value: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def _file_head(boundary: str, source: Source) -> bytes:
    """Quotes and line ends of a file's name would end it early: browsers say them in percent signs."""
    name = "".join(quote(letter) if letter in '"\r\n' else letter for letter in source.name)
    says = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{says}Content-Type: {source.mime}\r\n\r\n".encode()
