"""The two keys' clients, and how the flows take an answer."""

import os

from splitstream_client import AuthenticatedClient

_url = os.environ["SPLITSTREAM_URL"]
server = AuthenticatedClient(_url, token=os.environ["SPLITSTREAM_SERVER_KEY"])
client = AuthenticatedClient(_url, token=os.environ["SPLITSTREAM_CLIENT_KEY"])


def decoded(call, code, kind, *args, **options):
    """The decoded answer of a call, which must have this status code and this type."""
    response = call.sync_detailed(*args, **options)
    assert response.status_code == code, (call.__name__, response.status_code, response.content)
    assert kind is None or isinstance(response.parsed, kind), (call.__name__, response.parsed)
    return response.parsed
