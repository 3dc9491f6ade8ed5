-- How a programme brings partners in, and what the timeline tells whom.

-- Read through db/programme-settings.ts, which knows what is meant where nothing is said.
alter table programmes add column onboarding jsonb not null default '{}';

-- When the next step is due, and whether the applicant reads the entry or only those who decide.
alter table application_events
  add column due_at timestamptz,
  add column internal boolean not null default false;
