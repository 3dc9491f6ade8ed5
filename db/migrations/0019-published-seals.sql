-- The newest seal goes out with every statement: who would make the whole chain anew would have to
-- make every partner's statement and mail anew as well.
alter table statements
  add column seal_number bigint references ledger_seals,
  add column seal_hash bytea,
  add check ((seal_number is null) = (seal_hash is null)),
  -- Nothing is sealed before the first round after the first posting.
  add check (seal_number is null or issued_at is not null);
