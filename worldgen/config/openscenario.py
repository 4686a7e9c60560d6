"""ASAM OpenSCENARIO XML 1.2 to and from specs: the `Environment` element.

Units there: radians, metres, mm/h, lux. What the standard has no place for (snow and sand on the road,
spray, drops, dust, exposure) travels as properties of the road, named ``worldgen.*``, that other
readers skip.
"""

import math
from typing import Any, Final
from xml.etree import ElementTree as ET

from worldgen.config.osi import illuminance_lx
from worldgen.config.phrases import spec_from
from worldgen.datatypes import Spec
from worldgen.errors import SpecError

_OKTAS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_WETNESS: Final = (
    (0.1, "dry", 0.0),
    (0.45, "moist", 0.25),
    (0.9, "wetWithPuddles", 0.7),
    (1.01, "lowFlooded", 1.0),
)
"""Upper edge of our wetness, the standard's word, and our value for it. ``highFlooded`` reads as 1."""
_FRICTION: Final = {"dry": 1.0, "moist": 0.8, "wetWithPuddles": 0.6, "lowFlooded": 0.4}
"""Scale factors by order of magnitude; a spec says nothing about friction."""
_CLOUD_STATES: Final = {"skyOff": 0, "free": 0, "cloudy": 5, "overcast": 8, "rainy": 8}
"""Of the deprecated cloudState."""
_PROPERTIES: Final = (
    "wetness",
    "spray",
    "lens_drops",
    "dust_mor_m",
    "snow_cover",
    "sand_cover",
    "exposure_stops",
)
_MAX_BYTES: Final = 1_000_000


def to_openscenario(spec: Spec, *, heading_deg: float = 0.0, name: str = "") -> str:
    """Write what a spec sets as an `Environment` element of OpenSCENARIO 1.2.

    Args:
        spec: Any spec.
        heading_deg: Of the camera, clockwise from north; a spec's azimuth is relative to the camera.
        name: Of the environment; the spec's name when empty.
    """
    root = ET.Element("Environment", name=name or spec.name or "worldgen")
    weather = ET.SubElement(root, "Weather")
    if spec.clouds_okta is not None:
        weather.set("fractionalCloudCover", f"{_OKTAS[spec.clouds_okta]}Oktas")
    if spec.sun_elevation_deg is not None:
        azimuth = math.radians(((spec.sun_azimuth_deg or 0.0) + heading_deg) % 360)
        ET.SubElement(
            weather,
            "Sun",
            azimuth=_number(azimuth),
            elevation=_number(math.radians(spec.sun_elevation_deg)),
            illuminance=_number(illuminance_lx(spec.sun_elevation_deg, spec.clouds_okta or 0)),
        )
    if spec.fog_mor_m is not None:
        ET.SubElement(weather, "Fog", visualRange=_number(spec.fog_mor_m))
    if spec.rain_mm_h is not None or spec.snow_mm_h is not None:
        rate = spec.rain_mm_h or spec.snow_mm_h or 0.0
        kind = "rain" if spec.rain_mm_h else "snow" if spec.snow_mm_h else "dry"
        ET.SubElement(weather, "Precipitation", precipitationType=kind, precipitationIntensity=_number(rate))
    extra = {f: _number(v) for f in _PROPERTIES if (v := getattr(spec, f)) is not None}
    if (spec.sun_azimuth_deg is None) != (spec.sun_elevation_deg is None):
        # The standard cannot give one angle of the sun without the other.
        extra["sun_azimuth_deg"] = "unset" if spec.sun_azimuth_deg is None else _number(spec.sun_azimuth_deg)
    if extra:
        word = next(w for edge, w, _ in _WETNESS if (spec.wetness or 0.0) < edge)
        road = ET.SubElement(root, "RoadCondition", frictionScaleFactor=str(_FRICTION[word]))
        if spec.wetness is not None:
            road.set("wetness", word)
        properties = ET.SubElement(road, "Properties")
        for field, value in extra.items():
            ET.SubElement(properties, "Property", name=f"worldgen.{field}", value=value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def from_openscenario(text: str, *, heading_deg: float = 0.0, seed: int = 0, name: str = "") -> Spec:
    """Read a spec from an `Environment` element, alone or inside a scenario (the first one).

    Versions 1.0 to 1.3: `cloudState`, and `intensity` of precipitation as a share of 25 mm/h, are read too.

    Raises:
        SpecError: Not such XML, or a value out of range.
    """
    environment = _environment_of(text)
    fields: dict[str, Any] = {"seed": seed, "name": name or environment.get("name", "")}
    try:
        _read_weather(environment.find("Weather"), fields, heading_deg)
        _read_road(environment.find("RoadCondition"), fields)
    except (ValueError, TypeError) as exc:
        message = f"OpenSCENARIO environment {environment.get('name', '')!r}: {exc}"
        raise SpecError(message, reason="out_of_range") from exc
    return spec_from(fields, where="OpenSCENARIO environment", natural=False)


def _environment_of(text: str) -> ET.Element:
    if len(text) > _MAX_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        message = "an OpenSCENARIO environment has at most a million characters and no document type"
        raise SpecError(message, reason="unexpected")
    try:
        root = ET.fromstring(text)  # noqa: S314 -- entities are refused above
    except ET.ParseError as exc:
        message = f"not XML: {exc}"
        raise SpecError(message, reason="unexpected") from exc
    found = root if root.tag == "Environment" else root.find(".//Environment")
    if found is None:
        message = f"no Environment element in <{root.tag}>"
        raise SpecError(message, reason="unexpected")
    return found


def _read_weather(weather: ET.Element | None, fields: dict[str, Any], heading_deg: float) -> None:
    if weather is None:
        return
    cover = weather.get("fractionalCloudCover", "").removesuffix("Oktas")
    state = weather.get("cloudState")
    if cover:
        fields["clouds_okta"] = min(8, _OKTAS.index(cover))  # Nine oktas: the sky cannot be seen.
    elif state:
        if state not in _CLOUD_STATES:
            message = f"cloudState {state!r} is none of {', '.join(_CLOUD_STATES)}"
            raise ValueError(message)
        fields["clouds_okta"] = _CLOUD_STATES[state]
    sun = weather.find("Sun")
    if sun is not None:
        fields["sun_elevation_deg"] = round(math.degrees(float(sun.get("elevation", "0"))), 6)
        turned = math.degrees(float(sun.get("azimuth", "0"))) - heading_deg
        fields["sun_azimuth_deg"] = round(180 - (180 - turned) % 360, 6)
    fog = weather.find("Fog")
    if fog is not None:
        fields["fog_mor_m"] = min(40_000.0, float(fog.get("visualRange", "40000")))
    fall = weather.find("Precipitation")
    if fall is not None:
        kind = fall.get("precipitationType", "dry")
        exact = fall.get("precipitationIntensity")
        rate = float(exact) if exact is not None else 25.0 * float(fall.get("intensity", "0"))
        if kind == "dry":
            fields["rain_mm_h"] = 0.0
        else:
            fields["snow_mm_h" if kind == "snow" else "rain_mm_h"] = rate


def _read_road(road: ET.Element | None, fields: dict[str, Any]) -> None:
    if road is None:
        return
    word = road.get("wetness")
    if word:
        known = {w: value for _, w, value in _WETNESS} | {"highFlooded": 1.0}
        if word not in known:
            message = f"wetness {word!r} is none of {', '.join(known)}"
            raise ValueError(message)
        fields["wetness"] = known[word]
    for item in road.iter("Property"):
        field = item.get("name", "").removeprefix("worldgen.")
        if field == "sun_azimuth_deg" and item.get("value") == "unset":
            fields.pop(field, None)
        elif field in (*_PROPERTIES, "sun_azimuth_deg"):
            fields[field] = float(item.get("value", ""))


def _number(value: float) -> str:
    return f"{value:.10g}"
