-- Why the mail of the whole fleet waits: recipients and hosts by cause, who acts, and the destination that has most.
SELECT
    cause,
    any(acts) AS acts,
    sum(recipients) AS waiting,
    uniqExact(host) AS hosts,
    max(oldest) AS oldest_seconds,
    topKWeighted(1)(domain, recipients)[1] AS domain
FROM postfix_reasons FINAL
WHERE taken = toDateTime({at:UInt32}, 'UTC')
GROUP BY cause
ORDER BY waiting DESC, cause
