-- Whether a person held an accrual, or all of its partner, at an instant: partners are told that a
-- line is held, and the words of who placed the hold are the platform's.
create function accrual_is_held(accrual uuid, partner uuid, at timestamptz) returns boolean
  language sql stable security definer set search_path from current as $$
  select exists (select from settlement_holds hold
    where (hold.accrual_id = accrual or (hold.accrual_id is null and hold.partner_id = partner))
      and hold.placed_at <= at and (hold.released_at is null or hold.released_at > at))
$$;
