-- What partners learn: courses with modules and questions, who learns which, and certificates.

create table courses (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  code text not null check (code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(code) <= 60),
  version integer not null check (version >= 1),
  title text not null check (title <> ''),
  -- How long a certificate is good for; for ever where nothing is said.
  validity_days integer check (validity_days > 0),
  -- Percent of right answers.
  pass_score integer not null check (pass_score between 1 and 100),
  -- What a certificate of it is needed for, where the programme asks for one.
  certifies text[] not null default '{}'
    check (certifies <@ '{activation,bronze,silver,gold,platinum}'::text[]),
  status text not null default 'draft' check (status in ('draft', 'published', 'retired')),
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz,
  check (status = 'draft' or published_at is not null),
  unique (programme_id, code, version)
);
-- The next version is written while the present one is taught.
create unique index courses_one_draft on courses (programme_id, code) where status = 'draft';
create unique index courses_one_taught on courses (programme_id, code) where status = 'published';

create table course_modules (
  id uuid primary key default uuidv7(),
  course_id uuid not null references courses,
  ordinal integer not null check (ordinal between 1 and 200),
  title text not null check (title <> ''),
  body text not null,
  url text,
  minutes integer not null check (minutes between 1 and 6000),
  -- [{"id": "q1", "text": "…", "options": ["…"]}]
  quiz jsonb not null default '[]' check (jsonb_typeof(quiz) = 'array'),
  unique (course_id, ordinal)
);

-- Right answers, {"q1": [0, 2]}: apart from the questions, so that no learner can read them.
create table course_answers (
  module_id uuid primary key references course_modules,
  answers jsonb not null check (jsonb_typeof(answers) = 'object')
);

-- What was taught stays as it was: whoever passed, passed this.
create function refuse_taught() returns trigger language plpgsql as $$
declare
  course uuid;
begin
  if tg_table_name = 'course_answers' then
    select module.course_id into course from course_modules module
      where module.id = coalesce(new.module_id, old.module_id);
  else
    course := coalesce(new.course_id, old.course_id);
  end if;
  if exists (select from courses where id = course and status <> 'draft') then
    raise exception 'course % is published: write the next version', course
      using errcode = 'restrict_violation';
  end if;
  return coalesce(new, old);
end $$;
create trigger course_modules_taught before insert or update or delete on course_modules
  for each row execute function refuse_taught();
create trigger course_answers_taught before insert or update or delete on course_answers
  for each row execute function refuse_taught();
create function refuse_other_course() returns trigger language plpgsql as $$
begin
  if old.status <> 'draft' and (to_jsonb(new) - 'status' <> to_jsonb(old) - 'status'
      or new.status not in (old.status, 'retired')) then
    raise exception 'course % is published: write the next version', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger courses_taught before update on courses
  for each row execute function refuse_other_course();
create trigger courses_stay before delete on courses
  for each row execute function refuse_removal();
create trigger courses_stay_all before truncate on courses
  for each statement execute function refuse_removal();

-- One round of a member through a course; after a certificate comes another round.
create table enrolments (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  member_id uuid not null references members,
  course_id uuid not null references courses,
  state text not null default 'not_started' check (state in (
    'not_started', 'in_progress', 'passed', 'failed', 'expired')),
  attempts integer not null default 0 check (attempts >= 0),
  -- The best one, in percent.
  score integer check (score between 0 and 100),
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);
create unique index enrolments_once on enrolments (member_id, course_id)
  where state in ('not_started', 'in_progress', 'failed');
create index enrolments_by_partner on enrolments (partner_id, id);

create table module_completions (
  enrolment_id uuid not null references enrolments,
  ordinal integer not null,
  completed_at timestamptz not null default clock_timestamp(),
  primary key (enrolment_id, ordinal)
);

create table quiz_attempts (
  id uuid primary key default uuidv7(),
  enrolment_id uuid not null references enrolments,
  answers jsonb not null,
  score integer not null check (score between 0 and 100),
  passed boolean not null,
  at timestamptz not null default clock_timestamp()
);
create index quiz_attempts_by_enrolment on quiz_attempts (enrolment_id, at);

create table certificates (
  id uuid primary key default uuidv7(),
  -- Printed on it, and long enough that nobody guesses one.
  number text not null unique check (number ~ '^[A-Z0-9]{4}(-[A-Z0-9]{4}){3}$'),
  partner_id uuid not null references partners,
  member_id uuid not null references members,
  course_id uuid not null references courses,
  enrolment_id uuid not null unique references enrolments,
  issued_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz check (expires_at > issued_at),
  -- When its process noted that it has run out, and that it watches at all.
  expired_at timestamptz,
  watched_at timestamptz,
  revoked_at timestamptz,
  revoke_reason text check (revoke_reason <> ''),
  renewed_by uuid references certificates,
  check (num_nulls(revoked_at, revoke_reason) in (0, 2))
);
create index certificates_by_partner on certificates (partner_id, id);
create index certificates_by_member on certificates (member_id, course_id);
create index certificates_unwatched on certificates (issued_at)
  where watched_at is null and expires_at is not null and expired_at is null;

do $$
declare
  name text;
begin
  foreach name in array array['enrolments', 'certificates', 'module_completions',
      'quiz_attempts'] loop
    if name in ('module_completions', 'quiz_attempts') then
      execute format('alter table %I add column partner_id uuid not null', name);
      execute format('comment on column %I.partner_id is ''stamped''', name);
      execute format('create trigger %I before insert on %I for each row
        execute function stamp_like_parent(''enrolments'', ''enrolment_id'')',
        name || '_placed', name);
    else
      execute format('create trigger %I before insert on %I for each row
        execute function stamp_place()', name || '_placed', name);
    end if;
    execute format('alter table %I add column reseller_id uuid not null,
      add column master_id uuid not null,
      add constraint %I foreign key (partner_id, reseller_id, master_id)
        references partner_places', name, name || '_place');
    execute format('comment on column %I.reseller_id is ''stamped''', name);
    execute format('comment on column %I.master_id is ''stamped''', name);
  end loop;
  foreach name in array array['enrolments', 'certificates'] loop
    execute format('create index %I on %I (master_id, id)', name || '_by_master', name);
    execute format('create index %I on %I (reseller_id, id)', name || '_by_reseller', name);
  end loop;
  foreach name in array array['module_completions', 'quiz_attempts'] loop
    execute format('create trigger %I before update or delete on %I for each row
      execute function refuse_change()', name || '_append_only', name);
    execute format('create trigger %I before truncate on %I for each statement
      execute function refuse_change()', name || '_keep', name);
  end loop;
end $$;

-- The first module that is done begins the round; whoever writes needs no right to change it.
create function begin_enrolment() returns trigger language plpgsql security definer as $$
begin
  update enrolments set state = 'in_progress'
    where id = new.enrolment_id and state = 'not_started';
  return null;
end $$;
create trigger module_completions_begin after insert on module_completions
  for each row execute function begin_enrolment();

-- Marks the answers to the questions of a course: {"q1": [0, 2]} against what is right.
create function quiz_score(course uuid, given jsonb) returns integer
  language sql stable as $$
    select coalesce(floor(100 * count(*) filter (where given -> question.key = question.value)
      / nullif(count(*), 0)::numeric), 0)::integer
    from course_modules module
    join course_answers correct on correct.module_id = module.id
    cross join lateral jsonb_each(correct.answers) question
    where module.course_id = course $$;

-- Hands in the answers of a member, once by the id of the attempt. This alone makes certificates:
-- nobody who learns may write one. Answers `passed`, `failed`, or why not: `not_found`, `over` where
-- the round has ended, `unfinished` where modules are left, `too_often` after three in a day.
create function hand_in_quiz(attempt uuid, enrolment uuid, member uuid, given jsonb,
    certificate_number text, out outcome text, out score integer, out certificate uuid,
    out renewed uuid[], out wait_seconds integer)
  language plpgsql security definer as $$
declare
  own uuid := context_partner();
  round enrolments;
  course courses;
  earlier quiz_attempts;
begin
  renewed := '{}';
  select * into round from enrolments
    where enrolments.id = enrolment and enrolments.partner_id = own
      and enrolments.member_id = member
    for update;
  if not found then
    outcome := 'not_found';
    return;
  end if;
  select * into course from courses where courses.id = round.course_id;
  select * into earlier from quiz_attempts where quiz_attempts.id = attempt;
  if found then
    outcome := case when earlier.passed then 'passed' else 'failed' end;
    score := earlier.score;
    select made.id into certificate from certificates made where made.enrolment_id = enrolment;
    return;
  end if;
  if round.state in ('passed', 'expired') then
    outcome := 'over';
    return;
  end if;
  if exists (select from course_modules module where module.course_id = course.id
      and not exists (select from module_completions done
        where done.enrolment_id = enrolment and done.ordinal = module.ordinal)) then
    outcome := 'unfinished';
    return;
  end if;
  select ceil(extract(epoch from min(latest.at) + interval '24 hours' - clock_timestamp()))
    into wait_seconds
    from (select attempts.at from quiz_attempts attempts
      where attempts.enrolment_id = enrolment
        and attempts.at > clock_timestamp() - interval '24 hours'
      order by attempts.at desc limit 3) latest having count(*) = 3;
  if wait_seconds is not null then
    outcome := 'too_often';
    return;
  end if;
  score := quiz_score(course.id, given);
  outcome := case when score >= course.pass_score then 'passed' else 'failed' end;
  insert into quiz_attempts (id, enrolment_id, answers, score, passed)
    values (attempt, enrolment, given, hand_in_quiz.score, outcome = 'passed');
  update enrolments set state = outcome, attempts = enrolments.attempts + 1,
      score = greatest(enrolments.score, hand_in_quiz.score),
      finished_at = case when outcome = 'passed' then clock_timestamp() end
    where enrolments.id = enrolment;
  if outcome = 'failed' then
    return;
  end if;
  insert into certificates (number, partner_id, member_id, course_id, enrolment_id, expires_at)
    values (certificate_number, round.partner_id, round.member_id, course.id, enrolment,
      clock_timestamp() + make_interval(days => course.validity_days))
    returning certificates.id into certificate;
  with older as (
    update certificates before set renewed_by = certificate
    from courses taught
    where taught.id = before.course_id and taught.code = course.code
      and before.member_id = round.member_id and before.partner_id = round.partner_id
      and before.id <> certificate and before.renewed_by is null and before.revoked_at is null
    returning before.id
  )
  select coalesce(array_agg(older.id), '{}') into renewed from older;
end $$;

call audit_table('courses', 'course', '{}');
call audit_table('course_modules', 'course_module', '{}');
call audit_table('course_answers', 'course_answer', '{}');
call audit_table('enrolments', 'enrolment');
call audit_table('certificates', 'certificate', '{partner_id}', '{watched_at}');
