-- The queues of a fleet, minute by minute: what `queuewatch list`, `reasons` and `origins` tell, with the host and the minute.
-- `lines` prints the rows and vector.toml ships them. 7 days are kept. A row that comes again, because a timer ran twice in a
-- minute or Vector sent twice, takes the place of the first: the queries read with FINAL.
CREATE TABLE IF NOT EXISTS postfix_messages
(
    host LowCardinality(String),
    taken DateTime('UTC'),
    queue_name LowCardinality(String),
    queue_id String,
    arrival_time DateTime('UTC'),
    message_size UInt64,
    forced_expire Bool,
    sender String,
    recipients Array(Tuple(address String, delay_reason String))
)
ENGINE = ReplacingMergeTree PARTITION BY toDate(taken) TTL toDate(taken) + INTERVAL 7 DAY
ORDER BY (taken, host, queue_id);

CREATE TABLE IF NOT EXISTS postfix_reasons
(
    host LowCardinality(String),
    taken DateTime('UTC'),
    domain LowCardinality(String),
    code LowCardinality(String),
    reason String,
    cause LowCardinality(String),
    acts LowCardinality(String),
    next_hop Nullable(String),
    recipients UInt64,
    oldest UInt64
)
ENGINE = ReplacingMergeTree PARTITION BY toDate(taken) TTL toDate(taken) + INTERVAL 7 DAY
ORDER BY (taken, host, cause, domain, code, reason, ifNull(next_hop, ''));

CREATE TABLE IF NOT EXISTS postfix_origins
(
    host LowCardinality(String),
    taken DateTime('UTC'),
    by LowCardinality(String),
    name Nullable(String),
    messages UInt64,
    recipients UInt64,
    senders UInt64,
    domains UInt64,
    oldest Nullable(UInt64)
)
ENGINE = ReplacingMergeTree PARTITION BY toDate(taken) TTL toDate(taken) + INTERVAL 7 DAY
ORDER BY (taken, host, by, ifNull(name, ''));

-- A row for each run of `lines`, also where the queues are empty. Of a host that is not complete rows may be missing. Without a row
-- it does not report. `rows_of` is messages, reasons or origins.
CREATE TABLE IF NOT EXISTS postfix_hosts
(
    host LowCardinality(String),
    taken DateTime('UTC'),
    rows_of LowCardinality(String),
    complete Bool
)
ENGINE = ReplacingMergeTree PARTITION BY toDate(taken) TTL toDate(taken) + INTERVAL 7 DAY
ORDER BY (taken, host, rows_of);
