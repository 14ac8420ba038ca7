"""Compiled part of ``optimizer.interior``: what leads have in common, summed up."""

from numba import njit

from optimizer.problem import FloatArray, IntArray


@njit(cache=True, nogil=True)
def sum_exchanges(
    first: IntArray,
    place: IntArray,
    quality: FloatArray,
    weight: FloatArray,
    given: FloatArray,
) -> None:
    """Sum over leads how readily they go from one place to another.

    A lead with weights w over its places adds diag(w) - w w' / sum(w): what is left of
    a weighted product of its columns once the lead's own row is eliminated.

    Args:
        first: First pair of each lead and the end; int64 (n_leads + 1,).
        place: Place of each pair; int64 (n_pairs,).
        quality: Quality that each pair gives to its place; float64 (n_pairs,).
        weight: Weight of each pair, positive; float64 (n_pairs,).
        given: Written in place: the sums for leads, for leads and quality, for quality
            twice; float64 (3, n_places, n_places).
    """
    given[:] = 0.0
    for i in range(len(first) - 1):
        total = 0.0
        for a in range(first[i], first[i + 1]):
            total += weight[a]
        for a in range(first[i], first[i + 1]):
            row = place[a]
            for b in range(first[i], first[i + 1]):
                both = -weight[a] * weight[b] / total
                if a == b:
                    both += weight[a]
                given[0, row, place[b]] += both
                given[1, row, place[b]] += both * quality[b]
                given[2, row, place[b]] += both * quality[a] * quality[b]
