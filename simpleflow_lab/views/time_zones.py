"""The times of a table in another time zone, or in none, as spreadsheets take them."""

from __future__ import annotations

import datetime
import zoneinfo

from simpleflow_lab.data.pandas_library import pd
from simpleflow_lab.exceptions import UsageError


def in_time_zone(table: pd.DataFrame, timezone: str | datetime.tzinfo | None) -> pd.DataFrame:
    """The table with its times in this zone: a name such as "Europe/Berlin", or a `tzinfo`.

    With `None` they are in UTC and say nothing of a zone: Excel has no times with one, and pandas' `to_excel` refuses
    them. The table itself may be changed. Raises `UsageError` for a zone that this computer does not know.
    """
    if timezone == "UTC":
        return table
    zone = _zone(timezone)
    for name, column in table.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            table[name] = column.dt.tz_convert(zone)
    return table


def _zone(timezone: str | datetime.tzinfo | None) -> datetime.tzinfo | None:
    if timezone is None or isinstance(timezone, datetime.tzinfo):
        return timezone
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        message = f"no time zone {timezone!r}: write one as 'Europe/Berlin', or None for times without a zone"
        raise UsageError(message) from None
