-- An override of a screening is another kind of what takes two persons. It is about a screening,
-- and about a partner only where the name is that of one.
alter table approvals
  add column screening_id uuid references screenings,
  alter column concerned_id drop not null,
  drop constraint approvals_kind_check,
  add constraint approvals_kind_check check (kind in (
    'manual_entry', 'tier_override', 'termination', 'reinstatement', 'screening_override')),
  add constraint approvals_screening check (
    (screening_id is not null) = (kind = 'screening_override')),
  add constraint approvals_concerned check (
    concerned_id is not null or kind = 'screening_override');
create index approvals_by_screening on approvals (screening_id) where screening_id is not null;

create or replace function refuse_idle_approval() returns trigger language plpgsql as $$
begin
  if not exists (select from adjustments where id = new.id)
    and not exists (select from partner_tiers where approval_id = new.id)
    and not exists (select from terminations where new.id in (id, reinstatement_id))
    and not exists (select from screening_decisions where approval_id = new.id) then
    raise exception 'approval % has no effect', new.id using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
