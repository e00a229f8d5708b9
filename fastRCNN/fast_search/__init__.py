"""Selective search (Uijlings et al., IJCV 2013) compiled by numba, in integers: the same boxes on every machine."""

import numba  # noqa: F401 (without it this would take minutes per image: whoever imports it does something else)
