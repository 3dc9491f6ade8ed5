-- The decision on an application: of one person or of two, or by a rule; taken back in time; and what
-- the applicant is asked before it.

alter table decision_notes
  alter column member_id drop not null,
  -- The rule that decided where no person did.
  add column rule text check (rule <> ''),
  add column code text check (code in (
    'not_a_fit', 'incomplete', 'sanctions', 'territory', 'duplicate', 'risk', 'other')),
  -- When it counted: the first of two approvals counts before anything is decided.
  add column given_at timestamptz,
  -- Taken back before anything followed from it.
  add column undone_at timestamptz,
  add column undone_by uuid references members;
update decision_notes set given_at = taken_at;
alter table decision_notes
  add check (num_nonnulls(member_id, rule) = 1),
  add check (code is null or decision = 'reject'),
  add check (taken_at is null or given_at is not null),
  add check (undone_at is null or given_at is not null),
  add check (undone_by is null or undone_at is not null);
drop index decision_notes_one_taken;
create unique index decision_notes_one_taken on decision_notes (application_id)
  where taken_at is not null and undone_at is null;

-- Until when an approval may be taken back; empty where it is final.
alter table applications add column undo_until timestamptz;

-- Questions to an applicant. The words are sealed: they may be about people.
create table information_requests (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  master_id uuid references partners,
  member_id uuid not null references members,
  -- A list of texts.
  questions_sealed bytea not null,
  question_count integer not null check (question_count between 1 and 20),
  created_at timestamptz not null default clock_timestamp(),
  -- Set by the process that asks them; counts from 1 within the application.
  number integer check (number > 0),
  asked_at timestamptz,
  due_at timestamptz,
  answered_at timestamptz,
  unique (application_id, number),
  check (num_nulls(number, asked_at, due_at) in (0, 3)),
  check (answered_at is null or asked_at is not null)
);
create trigger information_requests_decider before insert on information_requests
  for each row execute function name_decider_of_part();
create trigger information_requests_stay before delete on information_requests
  for each row execute function refuse_removal();

-- What the applicant said, once for each request.
create table information_answers (
  id uuid primary key default uuidv7(),
  application_id uuid not null references applications,
  master_id uuid references partners,
  request_id uuid not null unique references information_requests,
  -- A list of texts, in the order of the questions.
  answers_sealed bytea not null,
  created_at timestamptz not null default clock_timestamp()
);
create trigger information_answers_decider before insert on information_answers
  for each row execute function name_decider_of_part();

call audit_table('information_requests', 'information_request', '{master_id}');
call audit_table('information_answers', 'information_answer', '{master_id}');
