"""Slots of the bucketing function ss1, computed with hashlib alone.

    python3 bucketing_ss1.py > bucketing_ss1.json
"""

import hashlib
import json
import platform
import random
import struct

# What the published specification of ss1 prints, checked against what is computed here.
PUBLISHED = [
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "user-1", 5092),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "user-2", 9433),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ünïcode-ß", 9216),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "with:colon", 295),
]
UNITS = [
    "u", "0", " leading", "trailing ", "line\nbreak", "tab\t", "\u00e9", "e\u0301", "\ufb01", "K", "\u212a",
    "👨‍👩‍👧‍👦", "日本語", "ss1:", ":", "a" * 256, "ß" * 128, "00000000-0000-0000-0000-000000000000",
]


def slot(salt, purpose, unit):
    digest = hashlib.sha256(f"ss1:{salt}:{purpose}:{unit}".encode()).digest()
    return struct.unpack(">I", digest[:4])[0] * 10000 >> 32


def vector(experiment, generation, unit, purpose="assign"):
    salt = experiment if generation == 1 else f"{experiment}.{generation}"
    return {
        "experiment": experiment, "generation": generation, "salt": salt, "purpose": purpose,
        "unit_id": unit, "slot": slot(salt, purpose, unit),
    }


def main():
    for experiment, unit, expected in PUBLISHED:
        assert slot(experiment, "assign", unit) == expected, unit
    vectors = [vector(experiment, 1, unit) for experiment, unit, _ in PUBLISHED]
    experiment = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    vectors += [vector(experiment, 1, unit) for unit in UNITS]
    vectors += [vector(experiment, generation, "user-1") for generation in (2, 3, 10, 1000)]
    vectors += [vector(experiment, 1, "user-1", "other")]
    # The units whose slots lie at the ends of the range, found by search.
    draw = random.Random(1)
    found = {}
    while len(found) < 3:
        unit = f"search-{draw.getrandbits(40):x}"
        found.setdefault(slot(experiment, "assign", unit), unit)
        found = {number: found[number] for number in found if number in (0, 4999, 9999)}
    vectors += [vector(experiment, 1, found[number]) for number in sorted(found)]
    meta = {
        "origin": "bucketing_ss1.py, the program beside this file: hashlib.sha256, no code of ours",
        "python": platform.python_version(),
    }
    print(json.dumps({"meta": meta, "vectors": vectors}, ensure_ascii=False, indent=1))


main()
