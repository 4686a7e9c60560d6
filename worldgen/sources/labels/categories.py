"""Names of classes, as data sets write them, and ours."""

from typing import Final

KNOWN: Final = (
    "car",
    "truck",
    "bus",
    "motorcycle",
    "bicycle",
    "pedestrian",
    "rider",
    "traffic_light",
    "traffic_sign",
    "other",
)
_ALIASES: Final = {
    "person": "pedestrian",
    "people": "pedestrian",
    "human": "pedestrian",
    "person sitting": "pedestrian",
    "cyclist": "rider",
    "bicyclist": "rider",
    "motorcyclist": "rider",
    "van": "car",
    "suv": "car",
    "sedan": "car",
    "taxi": "car",
    "emergency vehicle": "car",
    "construction vehicle": "truck",
    "trailer": "truck",
    "lorry": "truck",
    "motorbike": "motorcycle",
    "motor": "motorcycle",
    "bike": "bicycle",
    "stop sign": "traffic_sign",
    "tram": "other",
    "train": "other",
    "misc": "other",
}


def category_of(name: str) -> str:
    """Find our name of a class; a name that nobody knows stays as it is, in small letters.

    Takes dotted names as nuScenes writes them (``vehicle.bus.rigid``, ``human.pedestrian.adult``): the first
    part that is known, from the right.
    """
    plain = name.strip().lower().replace("_", " ").replace("-", " ")
    for part in (plain, *reversed(plain.split("."))):
        word = part.strip()
        if word.replace(" ", "_") in KNOWN:
            return word.replace(" ", "_")
        if word in _ALIASES:
            return _ALIASES[word]
    return plain.replace(" ", "_") or "other"
