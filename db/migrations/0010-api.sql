-- What the API remembers between requests.

-- A repeated request with the same key gets the first answer; the same key with another body is
-- refused. `operation_id` becomes the id of what the request creates, so that a request repeated
-- after a crash finds its own first effect.
create table idempotency_keys (
  principal text not null,
  method text not null,
  route text not null,
  key text not null,
  fingerprint bytea not null,
  operation_id uuid not null default uuidv7(),
  claimed_at timestamptz not null default clock_timestamp(),
  answer_status integer,
  answer_headers jsonb,
  -- Encrypted: an answer may show a secret that is stored nowhere else.
  answer_sealed bytea,
  created_at timestamptz not null default clock_timestamp(),
  primary key (principal, method, route, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- Counters of the rate limiter (GCRA). Losing them in a crash costs nobody anything.
create unlogged table rate_limits (
  bucket text primary key,
  full_until timestamptz not null
);
