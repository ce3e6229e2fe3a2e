-- Who sends the mail that waits anywhere: a login that uses several hosts is no more hidden than on one.
SELECT by, name, sum(messages) AS waiting, sum(recipients) AS to_recipients, uniqExact(host) AS hosts
FROM postfix_origins FINAL
WHERE taken = toDateTime({at:UInt32}, 'UTC')
GROUP BY by, name
ORDER BY waiting DESC, by, name
LIMIT 50
