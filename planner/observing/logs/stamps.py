"""Time stamps of logs: the hour, in the sender's time zone, that a line belongs to."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1).toordinal()
_MONTHS = {name: i for i, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_CLASSIC = re.compile(rb"([A-Z][a-z]{2}) ([ 0-3]\d) (\d\d)")
_ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?)?"
    rb"(?:\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)(?=\s|\Z))?"
)
_MOST_KEPT = 20_000
_DAY_SECONDS = 86_400
_LATEST = 250_000_000_000  # Unix time, before the last year that dates know


class Clock:
    """Turns stamps into seconds and hours of one time zone, both counted on its wall clock from 1970.

    Parameters
    ----------
    zone : ZoneInfo or None
        Where days begin; None for the days as the log writes them.
    written_in : ZoneInfo or None
        Zone of stamps that name none; None for `zone`.
    """

    def __init__(self, zone: ZoneInfo | None, written_in: ZoneInfo | None) -> None:
        self._zone, self._written_in = zone, written_in
        self._year: int | None = None
        self._month = 0
        self._hours: dict[bytes, int] = {}
        self.guessed_years: set[int] = set()
        """Years in which a log without years was taken to begin."""
        self.whole_hours = True
        """Whether an hour of the log is one of the sender's: not from Kolkata to London."""

    def begin(self, first_year: int | None, latest: datetime) -> None:
        """Say when stamps without a year begin: in that year, or in the last in which they are not after `latest`."""
        self._year, self._month, self._latest = first_year, 0, latest
        self._hours.clear()

    # --- classic stamps: "Nov 25 21:16:58"

    def classic_second(self, stamp: bytes) -> int:
        """Second of ``Nov 25 21:16:58``.

        Raises
        ------
        ValueError
            When there is no such time.
        """
        start = self._hours.get(stamp[:9])
        if start is None:
            start = self._new_classic(stamp[:9])
        return start + int(stamp[10:12]) * 60 + int(stamp[13:15])

    def _new_classic(self, key: bytes) -> int:
        """Second at which the hour of ``Nov 25 21`` begins."""
        found = _CLASSIC.match(key)
        month = _MONTHS.get(found[1], 0) if found else 0
        if not found or not month:
            raise ValueError("no time stamp")
        day, hour = int(found[2]), int(found[3])
        if self._year is None:
            self._year = _year_of(month, day, self._latest)
            self.guessed_years.add(self._year)
        elif self._month:
            self._year += (month - self._month < -6) - (month - self._month > 6)  # over New Year, and back again
        if month != self._month:
            self._hours.clear()  # the same day of another year is another day
            self._month = month
        self._hours[key] = start = self._wall(datetime(self._year, month, day, hour))
        self.whole_hours = start % 3600 == 0
        return start

    # --- stamps with a year, perhaps with an offset

    def iso_second(self, stamp: bytes) -> int:
        """Second of ``2026-11-25T21:16:58.123+01:00`` and its relatives.

        Raises
        ------
        ValueError
            When it is no such stamp, or there is no such day.
        """
        found = _ISO.match(stamp)
        if not found:
            raise ValueError("no time stamp")
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        key = found[0][:16] + (found[7] or b"")
        start = self._hours.get(key)
        if start is None:
            if len(self._hours) > _MOST_KEPT:
                self._hours.clear()
            written = datetime(year, month, day, hour, minute)
            if found[7] is None:
                start = self._wall(written)
            elif self._zone is None:
                start = _seconds(written)
            else:
                start = self._local(written.replace(tzinfo=UTC) - _offset(found[7]))
            self._hours[key] = start
        return start + min(second, 59)

    def epoch_second(self, seconds: float) -> int:
        """Wall-clock second of a Unix time.

        Raises
        ------
        ValueError
            When it lies before 1970, or thousands of years away.
        """
        if not 0 <= seconds < _LATEST:
            raise ValueError("no time stamp")
        key = b"%d" % (seconds // 900)
        start = self._hours.get(key)
        if start is None:
            if len(self._hours) > _MOST_KEPT:
                self._hours.clear()
            start = self._local(datetime.fromtimestamp(seconds // 900 * 900, UTC))
            self._hours[key] = start
        return start + int(seconds % 900)

    # --- zones

    def _wall(self, written: datetime) -> int:
        """Wall-clock second in the sender's zone of a time that is written without one."""
        if self._zone is None or self._written_in is None or self._zone is self._written_in:
            return _seconds(written)
        return self._local(written.replace(tzinfo=self._written_in))

    def _local(self, moment: datetime) -> int:
        return _seconds(moment.astimezone(self._zone or UTC))


def day_of(hour: int) -> date:
    """Day of an hour."""
    return date.fromordinal(_EPOCH + hour // 24)


def _seconds(moment: datetime) -> int:
    return (moment.toordinal() - _EPOCH) * _DAY_SECONDS + moment.hour * 3600 + moment.minute * 60 + moment.second


def _offset(text: bytes) -> timedelta:
    if text[:1] not in b"+-":
        return timedelta(0)
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timedelta(minutes=-minutes if text[:1] == b"-" else minutes)


def _year_of(month: int, day: int, latest: datetime) -> int:
    """The last year in which the day exists and is at most a day later than `latest`."""
    end = (latest + timedelta(days=1)).date()
    for year in range(end.year, end.year - 8, -1):
        try:
            if date(year, month, day) <= end:
                return year
        except ValueError:  # 29 February
            continue
    raise ValueError("no time stamp")
