"""Masks agree with LlamaIndex' own reading of every filter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from retrieval.metadata_columns import MetadataColumns

VALUES = st.sampled_from(["", "A", "B", "AB"])
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={"owner": VALUES, "codes": st.lists(VALUES, max_size=3), "mixed": VALUES}),
    max_size=12,
)
FILTERS = st.lists(
    st.one_of(
        st.builds(MetadataFilter, key=st.sampled_from(["owner", "codes", "mixed"]), value=VALUES,
                  operator=st.sampled_from([FilterOperator.EQ, FilterOperator.NE, FilterOperator.CONTAINS])),
        st.builds(MetadataFilter, key=st.sampled_from(["owner", "codes"]), value=st.lists(VALUES, max_size=3),
                  operator=st.sampled_from([FilterOperator.ANY, FilterOperator.IN, FilterOperator.ALL])),
    ),
    max_size=3,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, filters=FILTERS, condition=st.sampled_from(FilterCondition))
def test_a_mask_is_what_llamaindex_decides_row_by_row(
    rows: list[dict[str, Any]], filters: list[MetadataFilter], condition: FilterCondition
) -> None:
    wanted = MetadataFilters(filters=filters, condition=condition)
    passes = build_metadata_filter_fn(lambda i: rows[int(i)], wanted)
    assert MetadataColumns(rows).mask(wanted).tolist() == [passes(str(i)) for i in range(len(rows))]


def test_a_value_nobody_has_passes_nobody() -> None:
    columns = MetadataColumns([{"owner": "A"}, {"owner": "B"}])
    wanted = MetadataFilters(filters=[MetadataFilter(key="owner", value="C", operator=FilterOperator.EQ)])
    assert columns.mask(wanted).tolist() == [False, False]


def test_a_mask_that_was_given_out_cannot_be_changed() -> None:
    columns = MetadataColumns([{"owner": "A"}])
    wanted = MetadataFilters(filters=[MetadataFilter(key="owner", value="B", operator=FilterOperator.EQ)])
    with pytest.raises(ValueError, match="read-only"):
        columns.mask(wanted)[0] = True
