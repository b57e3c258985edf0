"""Do the platforms answer from here: a read of their address without any key, by the rules that sending keeps."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from carillon import clock
from carillon.platforms.client import Client
from carillon.platforms.errors import Unreachable
from carillon.platforms.forms import get
from carillon.platforms.roster import PLATFORMS
from console.doctor.findings import Finding
from console.doctor.patient import Patient

_CHECK = "platforms"
_SECONDS = 5.0


def check(patient: Patient) -> Iterator[Finding]:
    names = sorted({account.platform for account in patient.accounts})
    urls = [(name, patient.settings.platform_urls.get(name, PLATFORMS[name].url)) for name in names]
    if not urls:
        return
    client = Client(_SECONDS)
    with ThreadPoolExecutor(len(urls)) as asking:
        yield from asking.map(lambda place: _asked(client, *place), urls)
    client.close()


def _asked(client: Client, name: str, url: str) -> Finding:
    begun = clock.ticks()
    try:
        answer = client.get(get(f"{url}/", {}))
    except Unreachable as error:
        mend = "see this host's network, DNS and proxy variables"
        return Finding(_CHECK, "error", f"{name} cannot be reached: {error.words}", mend)
    milliseconds = (clock.ticks() - begun) * 1000
    return Finding(_CHECK, "ok", f"{name} answers at {url} (HTTP {answer.status}, {milliseconds:.0f} ms)")
