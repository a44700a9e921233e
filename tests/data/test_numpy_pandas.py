"""numpy's and pandas' values come back as they were, or are refused."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

import simpleflow_lab.data.numpy_pandas
from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.data.codec import TAG, decode, encode
from simpleflow_lab.exceptions import EncodingError, UnreadableValueError

assert simpleflow_lab.data.numpy_pandas


def there_and_back(value):
    text = encode(value)
    back = decode(text)
    assert encode(back) == text
    assert type(back) is type(value)
    return back


dtypes = (
    st_numpy.boolean_dtypes()
    | st_numpy.integer_dtypes(endianness="=")
    | st_numpy.floating_dtypes(endianness="=", sizes=(16, 32, 64))
    | st_numpy.datetime64_dtypes(endianness="=")
    | st_numpy.timedelta64_dtypes(endianness="=")
)


@given(dtypes.flatmap(lambda dtype: st_numpy.arrays(dtype, st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0))))
def test_an_array_comes_back_with_its_dtype_shape_and_every_value(array):
    """H7."""
    back = there_and_back(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1).map(np.array))
def test_an_array_of_text_comes_back(array):
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert back.tolist() == array.tolist()


@pytest.mark.parametrize(
    "value",
    [np.bool_(True), np.int8(-3), np.uint64(2**64 - 1), np.float16(0.1), np.float32(0.1), np.float64(1e-300)],
)
def test_a_number_of_numpys_becomes_an_equal_one_of_pythons(value):
    back = decode(encode([value]))[0]
    assert back == value
    assert type(back) in (bool, int, float)


@pytest.mark.parametrize(
    "value",
    [
        np.datetime64("2026-01-02T03:04:05.678", "ms"), np.datetime64("2026-01"), np.timedelta64(7, "h"),
        pd.Timestamp("2026-01-02 03:04:05.123456789"),
        pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert("Europe/Paris"), pd.Timestamp("2026-01-01", tz="+02:00"),
        pd.Timedelta("1D 3ns"), pd.Timedelta(-5, unit="s"),
    ],
)  # fmt: skip
def test_a_moment_comes_back_with_its_unit_and_zone(value):
    back = there_and_back(value)
    assert back == value
    assert str(back) == str(value)
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        assert back.unit == value.unit
    if isinstance(value, pd.Timestamp):
        assert back.tz == value.tz


def test_what_is_missing_comes_back_as_the_same_kind_of_missing():
    assert there_and_back(pd.NaT) is pd.NaT
    assert there_and_back(pd.NA) is pd.NA
    assert np.isnat(there_and_back(np.datetime64("NaT")))
    assert math.isnan(decode(encode(np.float64("nan"))))


FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [1.5, np.nan], "c": [np.inf, -np.inf], "d": [True, False]}),
    "small numbers": pd.DataFrame({"a": np.array([1, 2], "i1"), "b": np.array([0.1, 0.2], "f4")}),
    "text": pd.DataFrame({"a": ["x", None, "é\x00"], "b": pd.array(["u", None, "v"], dtype="string")}),
    "objects": pd.DataFrame({"a": pd.Series([{"k": [1]}, [2], None, "x", 1.5, float("nan"), pd.NaT], dtype=object)}),
    "moments": pd.DataFrame(
        {
            "a": pd.to_datetime(["2026-01-01", None]),
            "b": pd.date_range("2026-10-25", periods=2, freq="h", tz="Europe/Paris"),
            "c": pd.to_timedelta([1, None], unit="s"),
        }
    ),
    "categories": pd.DataFrame({"a": pd.Categorical(["lo", "hi", None], categories=["lo", "hi", "no"], ordered=True)}),
    "nullable": pd.DataFrame(
        {
            "a": pd.array([1, None], "Int64"),
            "b": pd.array([True, None], "boolean"),
            "c": pd.array([0.5, None], "Float32"),
        }
    ),
    "indexed by time": pd.DataFrame({"a": [1, 2, 3]}, index=pd.date_range("2026", periods=3, freq="D", name="day")),
    "several levels": pd.DataFrame(
        [[1, 2], [3, 4]],
        index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["letter", None]),
        columns=pd.MultiIndex.from_tuples([("x", "y"), ("x", "z")]),
    ),
    "a name twice": pd.DataFrame([[1, "a"]], columns=["x", "x"]),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="int64"), "b": pd.Series([], dtype="str")}),
    "no columns": pd.DataFrame(index=[5, 7]),
    "nothing": pd.DataFrame(),
    "labels of all kinds": pd.DataFrame({"a": [1], 2: [2], None: [3]}),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_data_frame_comes_back_with_dtypes_index_and_names(frame):
    back = there_and_back(frame)
    pd.testing.assert_frame_equal(back, frame)
    for place in range(frame.shape[1]):
        pd.testing.assert_series_equal(there_and_back(frame.iloc[:, place]), frame.iloc[:, place])
    pd.testing.assert_index_equal(there_and_back(frame.index), frame.index, exact=True)
    assert back.index.names == frame.index.names


def test_a_series_keeps_its_name_and_a_tuple_is_one():
    for name in (None, "x", 3, ("a", 1)):
        assert there_and_back(pd.Series([1, 2], name=name)).name == name


class Special(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]), np.array([1 + 2j]), np.ma.array([1], mask=[True]), np.array([(1, 2.0)], dtype="i4,f8"),
        np.array([b"x"]), np.longdouble("0.1") * np.ones(1), pd.Series(pd.period_range("2026", periods=2, freq="M")),
        pd.Series(pd.arrays.SparseArray([0, 1])), pd.Series([(1, 2)]), pd.Series([{1, 2}]), pd.Series([object()]),
        pd.IntervalIndex.from_breaks([0, 1]), Special({"a": [1]}), pd.Series([1], name=frozenset({1})),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", repr(value)),  # the same name in every process
)  # fmt: skip
def test_what_would_not_come_back_is_refused(value):
    with pytest.raises(EncodingError, match=r"\['here'\]"):
        encode({"here": value})


@pytest.mark.parametrize(
    "written",
    [
        {TAG: "numpy.ndarray", "value": {"dtype": "O", "shape": [1], "data": [1]}},
        {TAG: "numpy.ndarray", "value": {"dtype": "i8", "shape": [10**12], "data": [1]}},
        {TAG: "numpy.ndarray", "value": {"dtype": "i1", "shape": [1], "data": [1000]}},
        {TAG: "numpy.ndarray", "value": {"dtype": "U999999", "shape": [100], "data": ["x"] * 100}},
        {TAG: "numpy.ndarray", "value": {"dtype": "f8", "shape": [1], "data": ["odd"]}},
        {TAG: "numpy.ndarray", "value": 7},
        {TAG: "pandas.DataFrame", "value": {"columns": {}, "index": {}, "data": []}},
        {TAG: "pandas.DataFrame", "value": None},
        {TAG: "pandas.Series", "value": {"column": {"dtype": "os.system", "data": ["x"]}, "index": {}, "name": None}},
        {TAG: "pandas.Timestamp", "value": {"at": "yesterday, or so", "unit": "ns", "tz": None}},
        {TAG: "pandas.Timestamp", "value": {"at": "2026-01-01T00:00:00+00:00", "unit": "ns", "tz": "../../etc/passwd"}},
    ],
    ids=json.dumps,
)
def test_a_record_of_another_form_is_refused_when_it_is_read(written):
    with pytest.raises(UnreadableValueError):
        decode(json.dumps(written))


COLUMN = {"dtype": "datetime64[ns, ZONE]", "data": [0]}
SERIES = {"column": COLUMN, "index": {"range": [0, 1, 1], "name": None}, "name": None}


@pytest.mark.parametrize("zone", ["dateutil/FILE", "dateutil/Europe/Paris", "FILE", "tzlocal()", "Europe/../../FILE"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pandas.Timestamp", {"at": "2026-01-01T00:00:00+00:00", "unit": "ns", "tz": "ZONE"}),
        ("pandas.Series", SERIES),
    ],
    ids=["moment", "column"],
)
def test_a_time_zone_that_is_a_path_is_never_opened(tmp_path, zone, name, value):
    """Threat T6: pandas takes a zone such as `dateutil//etc/passwd` for a file; a pipe would hang whoever reads."""
    pipe = tmp_path / "zone"
    os.mkfifo(pipe)
    text = json.dumps({TAG: name, "value": value}).replace("ZONE", zone.replace("FILE", str(pipe)))
    with pytest.raises(UnreadableValueError):
        decode(text)


@activity.with_attributes(name="values.clean", task_list="values", version="1")
def clean(frame):
    return frame.dropna().reset_index(drop=True)


@activity.with_attributes(name="values.mean", task_list="values", version="1")
def mean(frame):
    return frame["n"].mean()


class Cleans(Workflow):
    name = "values.cleans"

    def run(self, frame):
        cleaned = self.submit(clean, frame)
        frame["n"] = 0  # what was submitted stays as it was
        return {
            "frame": cleaned.result,
            "mean": self.submit(mean, cleaned).result,
            "rows": np.int64(len(cleaned.result)),
        }


def test_data_frames_travel_through_activities_and_workflows():
    with Lab(":memory:") as lab:
        frame = pd.DataFrame({"n": [1.0, np.nan, 4.0], "at": pd.date_range("2026", periods=3, tz="UTC")})
        result = lab.start(Cleans, frame).result(timeout=200)
    pd.testing.assert_frame_equal(result["frame"], frame.dropna().reset_index(drop=True))
    assert (result["mean"], result["rows"]) == (2.5, 2)


def test_who_has_not_imported_it_is_told_to() -> None:
    program = """
import numpy as np, pandas as pd
from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.exceptions import EncodingError

for call in (
    lambda: encode({"frame": pd.DataFrame()}),
    lambda: encode([np.int64(1)]),
    lambda: decode('{"__simpleflow__": "pandas.DataFrame", "value": {}}'),
):
    try:
        call()
    except EncodingError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        f"JSON can't hold a {what}: import simpleflow_lab.data.numpy_pandas"
        for what in ("pandas.DataFrame at ['frame']", "numpy.int64 at [0]")
    ] + [
        "a recorded value of type 'pandas.DataFrame' can't be read: "
        "import simpleflow_lab.data.numpy_pandas, which registers it"
    ]
