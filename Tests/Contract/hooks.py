"""Keeps schemathesis from sawing off the branch it sits on.

It finds its own key in the list, and would revoke it.
"""

import json
import os
import urllib.request

import schemathesis

_key = os.environ["SPLITSTREAM_SERVER_KEY"]
_request = urllib.request.Request(
    os.environ["SPLITSTREAM_URL"] + "/v1/api-keys?limit=200",
    headers={"Authorization": f"Bearer {_key}"})
with urllib.request.urlopen(_request) as _answer:
    _own = {k["id"] for k in json.load(_answer)["data"] if k["last_four"] == _key[-4:]}
assert _own


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path.startswith("/v1/api-keys/{id}") and case.path_parameters.get("id") in _own:
        case.path_parameters["id"] = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
