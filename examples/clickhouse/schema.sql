-- The queues of a fleet, minute by minute: what `queuewatch list`, `reasons` and `origins` tell, with the host and the minute.
-- `lines` prints the rows and vector.toml ships them. 7 days are kept.
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
ENGINE = MergeTree PARTITION BY toDate(taken) ORDER BY (taken, queue_name, host) TTL toDate(taken) + INTERVAL 7 DAY;

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
ENGINE = MergeTree PARTITION BY toDate(taken) ORDER BY (taken, cause, domain) TTL toDate(taken) + INTERVAL 7 DAY;

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
ENGINE = MergeTree PARTITION BY toDate(taken) ORDER BY (taken, by) TTL toDate(taken) + INTERVAL 7 DAY;
