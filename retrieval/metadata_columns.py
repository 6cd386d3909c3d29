"""LlamaIndex metadata filters -> a mask of the rows that pass, from lists of rows by value, not row by row.

What this module does not know: what the keys mean. Operators that no list of rows can answer (greater, contains ...)
are asked of LlamaIndex' own function for each row: slower, the same answer.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn
from numpy.typing import NDArray

MASKS_KEPT = 32
NO_ROWS: NDArray[np.int64] = np.empty(0, np.int64)


class MetadataColumns:
    """Rows of metadata, string or list-of-string values, searched by filters."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = tuple(rows)
        self._by_value: dict[str, dict[str, NDArray[np.int64]]] = {}
        self._masks: OrderedDict[str, NDArray[np.bool_]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def mask(self, filters: MetadataFilters | None) -> NDArray[np.bool_]:
        """(n,) True where a row passes, as LlamaIndex' ``build_metadata_filter_fn`` decides; not to be written to."""
        if filters is None or not filters.filters:
            return np.ones(len(self), bool)
        key = filters.model_dump_json()
        if key not in self._masks:
            self._masks[key] = self._mask(filters)
            self._masks[key].flags.writeable = False
            while len(self._masks) > MASKS_KEPT:
                self._masks.popitem(last=False)
        return self._masks[key]

    def _mask(self, filters: MetadataFilters) -> NDArray[np.bool_]:
        if filters.condition is FilterCondition.NOT or not all(self._by_list(f) for f in filters.filters):
            passes = build_metadata_filter_fn(lambda i: self._rows[int(i)], filters)
            return np.fromiter((passes(str(i)) for i in range(len(self))), bool, len(self))
        masks = [self._one(f) for f in filters.filters]
        join = np.logical_or if filters.condition is FilterCondition.OR else np.logical_and
        return join.reduce(masks)

    def _one(self, wanted: MetadataFilter) -> NDArray[np.bool_]:
        lists = self._lists(wanted.key)
        values = [wanted.value] if wanted.operator is FilterOperator.EQ else wanted.value
        mask = np.zeros(len(self), bool)
        for value in values:
            mask[lists.get((wanted.operator is FilterOperator.ANY, value), NO_ROWS)] = True
        return mask

    def _lists(self, key: str) -> Mapping[Any, NDArray[np.int64]]:
        """(value is an item of a list, value) -> rows; EQ asks for whole values, ANY for items."""
        if key not in self._by_value:
            found: dict[Any, list[int]] = defaultdict(list)
            for i, row in enumerate(self._rows):
                value = row.get(key)
                if isinstance(value, str):
                    found[False, value].append(i)
                elif value is not None:
                    for item in dict.fromkeys(value):
                        found[True, item].append(i)
            self._by_value[key] = {value: np.asarray(rows, np.int64) for value, rows in found.items()}
        return self._by_value[key]

    def _by_list(self, wanted: MetadataFilter | MetadataFilters) -> bool:
        """Whether lists of rows answer the filter: a whole string (EQ), or items of lists (ANY)."""
        if isinstance(wanted, MetadataFilters):
            return False
        if wanted.operator is FilterOperator.EQ:
            return isinstance(wanted.value, str)
        # of a string, ANY asks for a piece of it, which no list of whole values knows
        whole_strings = any(not is_item for is_item, _ in self._lists(wanted.key))
        return wanted.operator is FilterOperator.ANY and isinstance(wanted.value, list) and not whole_strings
