-- Tax is paid on what a partner says of itself: somebody of the platform finds its number right
-- before the first document with it.
alter table self_billing_profiles
  add column verified_by uuid references members,
  add column verified_at timestamptz,
  add check ((verified_by is null) = (verified_at is null));

create function guard_verified_profile() returns trigger language plpgsql as $$
declare
  level text := context_level();
  before timestamptz;
begin
  if tg_op = 'UPDATE' then
    before := old.verified_at;
  end if;
  if new.verified_at is not distinct from before then
    return new;
  end if;
  if before is not null then
    raise exception 'a profile that was verified stays so' using errcode = 'restrict_violation';
  end if;
  if level is not null and level not in ('super_admin', 'worker') then
    raise exception 'only the platform verifies a profile' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger self_billing_profiles_verified before insert or update on self_billing_profiles
  for each row execute function guard_verified_profile();

drop trigger self_billing_profiles_guarded on self_billing_profiles;
create trigger self_billing_profiles_guarded before update on self_billing_profiles
  for each row execute function guard_self_billing(
    '{replaced_at,verified_by,verified_at,legal_name_sealed,address_sealed,vat_id_sealed}',
    'replaced_at');

alter table self_billing_skips drop constraint self_billing_skips_reason_check,
  add constraint self_billing_skips_reason_check check (reason in (
    'no_profile', 'no_consent', 'consent_ended', 'vat_id_changed', 'no_rate', 'no_vat_id',
    'not_verified', 'nothing_to_credit'));
