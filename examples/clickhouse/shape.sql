-- qshape of the whole fleet: recipients by destination domain and age, in qshape's columns.
-- As in qshape, mail that postsuper -e marked for expiry does not count. Ask hosts.sql which hosts are missing.
-- Parameters: the minute, and the queue (clickhouse-client --param_at=1795461300 --param_queue=deferred).
SELECT
    lower(substringIndex(address, '@', -1)) AS domain,
    count() AS total,
    [
        countIf(age < 300), countIf(age >= 300 AND age < 600), countIf(age >= 600 AND age < 1200),
        countIf(age >= 1200 AND age < 2400), countIf(age >= 2400 AND age < 4800), countIf(age >= 4800 AND age < 9600),
        countIf(age >= 9600 AND age < 19200), countIf(age >= 19200 AND age < 38400),
        countIf(age >= 38400 AND age < 76800), countIf(age >= 76800)
    ] AS counts
FROM
(
    -- Of the recipients only the addresses are read, and not the reasons.
    SELECT toInt64({at:UInt32}) - toInt64(toUnixTimestamp(arrival_time)) AS age, arrayJoin(recipients.address) AS address
    FROM postfix_messages FINAL
    WHERE taken = toDateTime({at:UInt32}, 'UTC') AND queue_name = {queue:String} AND NOT forced_expire
)
GROUP BY domain
ORDER BY total DESC, domain
