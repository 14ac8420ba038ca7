"""Positions on the globe, in degrees."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""


def great_circle_km(
    start: tuple[FloatArray, FloatArray], end: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Distances over the sphere, by the haversine formula.

    Args:
        start: Degrees north and east; float64, any shape.
        end: The same; broadcast against ``start``.

    Returns:
        Kilometres; float64 in the broadcast shape.
    """
    lat1, lon1, lat2, lon2 = (np.radians(one) for one in (*start, *end))
    half = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
