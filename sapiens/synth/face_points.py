"""Where the 238 face points lie on the standard head, by their names (head coordinates of `head.py`).

Numbered points of eyelids, brows and lips run in one image direction, taken to be from the person's right to the left.
Left-ear points follow a drawn outline of the ear; those of the right ear mirror them.
"""

from __future__ import annotations

import math
import re

from sapiens.synth.head import FACE, SKULL

Place = tuple[float, float, float, float]
"""x, y, z, and how much of the jaw's drop the point follows."""

# Position along a curve from the person's right end (0) to the left end (1), by number.
_ALONG = {1: 0.25, 2: 0.75, 3: 0.125, 4: 0.375, 5: 0.625, 6: 0.875}
_BROW = {1: 0.5, 2: 0.25, 3: 0.75}
_MIDLINE = {
    "center_of_glabella": (0.118, 0.0885),
    "center_of_nose_root": (0.104, 0.0905),
    "tip_of_nose_bridge": (0.072, 0.111),
    "midpoint_1_of_nose_bridge": (0.097, 0.0915),
    "midpoint_2_of_nose_bridge": (0.089, 0.0965),
    "midpoint_3_of_nose_bridge": (0.080, 0.1035),
    "center_of_labiomental_groove": (0.016, 0.0865),
    "tip_of_chin": (0.001, 0.0895),
    "tip_of_nose": (0.066, 0.1138),
    "bottom_center_of_nose": (0.0585, 0.1005),
}
_NOSE = {
    "outer_corner_of_nose": (0.0205, 0.060, 0.0925),
    "inner": (0.0035, 0.0575, 0.1005),
    "outer": (0.0135, 0.0565, 0.0960),
    "upper": (0.0085, 0.0575, 0.1000),
}
_LIPS = {
    ("upper", "outer"): (0.0262, 0.0400),
    ("lower", "outer"): (0.0262, 0.0200),
    ("upper", "inner"): (0.0225, 0.0309),
    ("lower", "inner"): (0.0225, 0.0299),
}
# (y, z) on the ear, whose middle is at (0.085, -0.005); forward is +z.
_EAR = {
    "top_end_of_inferior_crus": (0.098, 0.004),
    "top_end_of_superior_crus": (0.104, 0.000),
    "start_of_antihelix": (0.073, -0.006),
    "end_of_antihelix": (0.094, -0.008),
    "midpoint_1_of_antihelix": (0.078, -0.010),
    "midpoint_1_of_inferior_crus": (0.096, -0.002),
    "midpoint_2_of_antihelix": (0.084, -0.011),
    "midpoint_3_of_antihelix": (0.089, -0.010),
    "point_1_of_inner_helix": (0.099, 0.009),
    "point_2_of_inner_helix": (0.106, 0.006),
    "point_3_of_inner_helix": (0.110, 0.000),
    "point_4_of_inner_helix": (0.108, -0.008),
    "point_5_of_inner_helix": (0.102, -0.014),
    "point_6_of_inner_helix": (0.094, -0.017),
    "point_7_of_inner_helix": (0.085, -0.017),
    "point_8_of_inner_helix": (0.076, -0.014),
    "highest_point_of_antitragus": (0.072, 0.000),
    "bottom_point_of_tragus": (0.074, 0.006),
    "protruding_point_of_tragus": (0.080, 0.006),
    "top_point_of_tragus": (0.086, 0.008),
    "start_point_of_crus_of_helix": (0.090, 0.004),
    "deepest_point_of_concha": (0.082, -0.001),
    "tip_of_ear_lobe": (0.058, 0.000),
    "midpoint_between_22_15": (0.066, -0.006),
    "bottom_connecting_point_of_ear_lobe": (0.062, 0.007),
    "top_connecting_point_of_helix": (0.093, 0.012),
}
# Right points 2 and 8 of the inner helix mirror the left 8 and 2 (cross-named at the source).
_CROSSED = {"point_2_of_inner_helix": "point_8_of_inner_helix", "point_8_of_inner_helix": "point_2_of_inner_helix"}
_CLOCK = {
    "3": 0,
    "midpoint_1": 45,
    "12": 90,
    "midpoint_4": 135,
    "9": 180,
    "midpoint_3": 225,
    "6": 270,
    "midpoint_2": 315,
}


def face_place(name: str) -> Place:
    """Position of a face point.

    Raises:
        KeyError: no face point has this name.
    """
    if name in _MIDLINE:
        y, z = _MIDLINE[name]
        jaw = 1.0 if "chin" in name or "labiomental" in name else 0.0
        return 0.0, y, z, 0.8 * jaw
    for reader in (_lip, _eye, _brow, _ring, _nose, _ear):
        place = reader(name)
        if place is not None:
            return place
    raise KeyError(name)


def front(x: float, y: float) -> float:
    """Depth of skin at (x, y): the foremost of skull and face."""
    depths = [-1.0]
    for (cx, cy, cz), (rx, ry, rz) in (SKULL, FACE):
        rest = 1 - ((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2
        depths.append(cz + rz * math.sqrt(rest) if rest > 0 else -1.0)
    return max(depths)


def _sign(letter: str) -> float:
    return 1.0 if letter == "l" else -1.0


def _eye(name: str) -> Place | None:
    match = re.fullmatch(r"([lr])_(.+)_of_(upper|lower)_(lash|eyelid|crease)_line", name)
    if not match:
        return None
    letter, point, lid, line = match.groups()
    side, number = _sign(letter), re.search(r"\d", point)
    t = (
        _ALONG[int(number.group())]
        if number
        else {"center": 0.5, "outer_": float(side > 0), "inner_": float(side < 0)}[point[:6]]
    )
    bow = 1 - (2 * t - 1) ** 2
    rise = {"lash": (0.0, 0.0072), "eyelid": (0.0012, 0.0090), "crease": (0.0032, 0.0112)}[line]
    sign = 1 if lid == "upper" else -1
    x = side * 0.031 + (2 * t - 1) * (0.0145 if line == "lash" else 0.0152)
    return x, 0.1 + sign * (rise[0] + (rise[1] - rise[0]) * bow), front(x, 0.1) + 0.0035 * bow, 0.0


def _brow(name: str) -> Place | None:
    match = re.fullmatch(r"(?:(upper|lower)_)?(startpoint|end|midpoint_\d)_of_([lr])_eyebrow", name)
    if not match:
        return None
    edge, point, letter = match.groups()
    side = _sign(letter)
    inner = {"startpoint": 0.0, "end": 1.0}
    along = inner[point] if point in inner else _BROW[int(point[-1])]
    outward = along if point in inner or side > 0 else 1 - along
    y = 0.1195 + 0.005 * math.sin(math.pi * min(1.0, outward * 1.25) / 1.6) - 0.006 * max(0.0, outward - 0.6)
    x = side * (0.0145 + 0.0355 * outward)
    y += {"upper": 0.0032, "lower": -0.0032}.get(edge or "", 0.0)
    return x, y, front(x, y) + 0.0035 * (1 - 0.6 * outward), 0.0


def _lip(name: str) -> Place | None:
    corner = re.fullmatch(r"([lr])_(outer|inner)_corner_of_mouth", name)
    if corner:
        return _sign(corner[1]) * (0.0268 if corner[2] == "outer" else 0.0235), 0.0305, 0.0800, 0.3
    if name == "center_of_cupid_bow":
        return 0.0, 0.0385, 0.0905, 0.0
    match = re.fullmatch(r"(?:midpoint_(\d)|center)_of_(upper|lower)_(outer|inner)(?:_lip)", name)
    if not match:
        return None
    t = _ALONG[int(match[1])] if match[1] else 0.5
    half, y_mid = _LIPS[match[2], match[3]]
    bow = 1 - abs(2 * t - 1) ** 1.7
    x, y = (2 * t - 1) * half, 0.0305 + (y_mid - 0.0305) * bow
    return x, y, 0.0795 + 0.0115 * bow, 0.0 if match[2] == "upper" else 0.3 + 0.7 * bow


def _ring(name: str) -> Place | None:
    match = re.fullmatch(r"([lr])_(?:center|border)_of_(iris|pupil)(?:_(.+))?", name)
    if not match:
        return None
    radius = (0.0060 if match[2] == "iris" else 0.0027) if match[3] else 0.0
    angle = math.radians(_CLOCK[match[3]]) if match[3] else 0.0
    z = 0.0777 + 0.0050 * math.sqrt(max(0.0, 1 - (radius / 0.0062) ** 2))
    return _sign(match[1]) * 0.031 + radius * math.cos(angle), 0.1 + radius * math.sin(angle), max(z, 0.0818), 0.0


def _nose(name: str) -> Place | None:
    wing = re.fullmatch(r"([lr])_(outer_corner_of_nose)", name)
    nostril = re.fullmatch(r"(inner|outer|upper)_corner_of_([lr])_nostril", name)
    if wing:
        x, y, z = _NOSE[wing[2]]
        return _sign(wing[1]) * x, y, z, 0.0
    if nostril:
        x, y, z = _NOSE[nostril[1]]
        return _sign(nostril[2]) * x, y, z, 0.0
    return None


def _ear(name: str) -> Place | None:
    if name[:2] not in ("l_", "r_"):
        return None
    point = name[2:] if name[0] == "l" else _CROSSED.get(name[2:], name[2:])
    if point not in _EAR:
        return None
    y, z = _EAR[point]
    rest = 1 - ((y - 0.085) / 0.031) ** 2 - ((z + 0.005) / 0.019) ** 2
    return _sign(name[0]) * (0.0755 + 0.008 * math.sqrt(max(0.0, rest))), y, z, 0.0
