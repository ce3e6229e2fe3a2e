-- Hosts whose part in the figures of a minute is missing or too small: they reported within a day before, and for that minute they
-- are silent, or could not read everything. No row: the sums of the other queries are exact.
SELECT host, rows_of, if(countIf(taken = toDateTime({at:UInt32}, 'UTC')) = 0, 'silent', 'incomplete') AS state, max(taken) AS last
FROM postfix_hosts FINAL
WHERE taken > toDateTime({at:UInt32} - 86400, 'UTC') AND taken <= toDateTime({at:UInt32}, 'UTC')
GROUP BY host, rows_of
HAVING countIf(taken = toDateTime({at:UInt32}, 'UTC') AND complete) = 0
ORDER BY host, rows_of
