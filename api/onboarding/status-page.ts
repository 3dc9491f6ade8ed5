/** Where an application stands, as a page for the person who applied. */
import { randomUUID } from 'node:crypto'
import type { ApplicationRow } from '../../db/onboarding/applications.ts'
import type { Programme } from '../../db/programmes.ts'
import type { DomainError } from '../../domain/errors.ts'
import {
  type ApplicationStage,
  type ApplicationStatus,
  applicationStages,
  isClosed,
  isDecided,
} from '../../domain/onboarding.ts'
import type { Links } from '../../integrations/links.ts'
import { onceField } from '../forms.ts'
import { html, type Markup, pageAnswer } from '../html.ts'
import { faultsOf, fieldMarkup, type PageField, problemMarkup } from '../page-fields.ts'
import { pageStyle } from '../page-style.ts'
import type { Answer } from '../route.ts'

/** What the page is about; the applicant's own answer, and nothing that is not in it. */
interface Standing {
  id: string
  company: string
  timeline: { at: string; what: string; actor: string }[]
  reapply_from: string | null
  information_requests: AskedQuestions[]
}

interface AskedQuestions {
  number: number | null
  due_at?: string | undefined
  questions: string[]
  answered_at: string | null
  answers: string[] | null
}

/** Answers that were not taken, as they were written. */
export interface UnsentAnswers {
  number: number
  answers: string[]
  refusal: DomainError
}

const stageNames: Record<ApplicationStage, string> = {
  screening: 'First look',
  agreement: 'Agreement',
  verification: 'Identity check',
  approval: 'Decision',
  provisioning: 'Your environment',
  training: 'Training',
  done: 'Partner',
}

const standings: Record<ApplicationStatus, string> = {
  submitted: 'We have your application',
  in_review: 'Your application is on its way',
  approved: 'Your application is approved',
  provisioning: 'We are preparing your environment',
  active: 'You are a partner',
  rejected: 'Your application was not accepted',
  withdrawn: 'Your application is withdrawn',
  lapsed: 'Your application has lapsed',
}

const actors: Record<string, string> = {
  applicant: 'you',
  partner: 'you',
  vendor: 'our provider',
  system: 'our system',
}

/** Whoever decides is one of us. */
const actorName = (actor: string) => actors[actor] ?? 'us'

const dayNames = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const timeNames = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'short',
  timeZone: 'UTC',
})

const day = (instant: Date | string) => {
  const at = new Date(instant)
  return html`<time datetime="${at.toISOString()}">${dayNames.format(at)}</time>`
}

function nextStep(row: ApplicationRow): Markup {
  if (isClosed(row.status) || row.nextActor === null) {
    return html`<p>Nothing more is to be done here.</p>`
  }
  const until = row.dueAt ? html`, until ${day(row.dueAt)}` : null
  if (row.nextActor === 'applicant' || row.nextActor === 'partner') {
    return html`<p><strong>It is your turn</strong>${until}.</p>`
  }
  const who = row.nextActor === 'vendor' ? 'our provider' : 'us'
  return html`<p>It is for <strong>${who}</strong> to act${until}. You need to do nothing.</p>`
}

/** What the applicant can do now. */
function actionsFor(row: ApplicationRow, programme: Programme, links: Links): Markup {
  if (row.nextActor !== 'applicant') return html``
  if (row.stage === 'verification') {
    const url = links.verificationUrl(row.id)
    return html`<p><a class="button" href="${url}">Go to the identity check</a></p>`
  }
  if (row.stage !== 'agreement') return html``
  if (programme.onboarding.signing === 'embedded') {
    const url = links.signingUrl(row.id)
    return html`<p><a class="button" href="${url}">Read and sign the agreement</a></p>`
  }
  return html`<p>The agreement is in your mail, from DocuSign. Sign it there.</p>`
}

const refusals: Partial<Record<DomainError['code'], string>> = {
  invalid_request: 'Please answer every question. What you wrote is still there.',
  conflict: 'These questions were answered before; the first answer counts.',
  not_ready: 'Nobody waits for this answer any more.',
  idempotency_key_reused: 'You sent these answers before; the first ones count.',
  temporarily_unavailable: 'It cannot be taken just now. Please send it again in a minute.',
}

const answerFields = ({ questions }: AskedQuestions): PageField[] =>
  questions.map((label, n) => ({
    ...{ name: `answers.${n}`, pointer: `/answers/${n}`, label, kind: 'area', most: 5_000 },
    advice: 'Please answer this question.',
  }))

/** What the applicant is asked, as a form; while nothing is decided. */
function questionsFor({ information_requests: requests }: Standing, how: PageFacts): Markup {
  const { row, links, unsent } = how
  const open = requests.filter(({ answered_at: answered }) => answered === null)
  if (isDecided(row.status)) return html``
  return html`${open.map((request) => {
    const { number, due_at: due } = request
    const fields = answerFields(request)
    const mine = unsent?.number === number ? unsent : undefined
    const { faults } = faultsOf(fields, mine?.refusal.details.fields ?? [])
    return html`<h2>Questions to you</h2>
<p>We need to know this before we decide${due ? html`; please answer by ${day(due)}` : null}.</p>
<form method="post" action="${links.informationUrl(row.id, Number(number))}">
<input type="hidden" name="${onceField}" value="${randomUUID()}">
${fields.map((field, n) => fieldMarkup(field, mine?.answers[n] ?? '', faults))}
<p><button>Send the answers</button></p>
</form>
`
  })}`
}

/** What was sent and not taken. */
function refusalOf({ information_requests: requests }: Standing, { unsent }: PageFacts): Markup {
  if (!unsent) return html``
  const { number, refusal } = unsent
  const asked = requests.find((request) => request.number === number)
  const fields = asked ? answerFields(asked) : []
  const { faults } = faultsOf(fields, refusal.details.fields ?? [])
  return problemMarkup(refusals[refusal.code] ?? `${refusal.message}.`, fields, faults)
}

function answeredOf({ information_requests: requests }: Standing): Markup {
  const answered = requests.filter(({ answers }) => answers !== null)
  if (answered.length === 0) return html``
  const lines = answered.flatMap(({ questions, answers }) =>
    questions.map(
      (question, n) => html`<dt>${question}</dt>
<dd>${answers?.[n] ?? ''}</dd>
`,
    ),
  )
  return html`<h2>What you answered</h2>
<dl>
${lines}</dl>`
}

function step(stage: ApplicationStage, row: ApplicationRow): Markup {
  const [own, now] = [applicationStages.indexOf(stage), applicationStages.indexOf(row.stage)]
  const name = stageNames[stage]
  if (own === now && !isClosed(row.status)) {
    return html`<li class="now" aria-current="step">${name} <span>now</span></li>`
  }
  return own < now || row.status === 'active'
    ? html`<li class="past">${name} <span>done</span></li>`
    : html`<li>${name} <span>to come</span></li>`
}

/** An application that ended early has no further stages to show. */
function steps(row: ApplicationRow): Markup {
  if (isClosed(row.status) && row.status !== 'active') return html``
  return html`<h2>The way</h2>
<ol class="steps">
${applicationStages.map((stage) => step(stage, row))}
</ol>`
}

function timelineOf({ timeline }: Standing): Markup {
  const entries = timeline.map(
    ({
      at,
      what,
      actor,
    }) => html`<li><time datetime="${at}">${timeNames.format(new Date(at))}</time>
<span>${what} <em>by ${actorName(actor)}</em></span></li>
`,
  )
  return html`<h2>What happened</h2>
<ol class="timeline" reversed>
${entries.toReversed()}
</ol>`
}

function againFrom(from: Date, url: string): Markup {
  return from > new Date()
    ? html`<p>You can apply again from ${day(from)} on. Keep this link for it.</p>`
    : html`<p>You can apply again from ${day(from)} on.</p>
<p><a class="button" href="${url}">Apply again</a></p>`
}

/** Until it is decided; the button stands behind a line that has to be opened. */
function withdrawalOf(row: ApplicationRow, links: Links): Markup {
  if (isDecided(row.status)) return html``
  return html`<details>
<summary>Withdraw the application</summary>
<p>What was opened for it is closed again. This cannot be taken back.</p>
<form method="post" action="${links.withdrawalUrl(row.id)}">
<button>Withdraw for good</button>
</form>
</details>`
}

const style = `${pageStyle}
ol { margin: 0; padding: 0; list-style: none; }
.steps li { display: flex; justify-content: space-between; gap: 1rem; padding: .45rem .75rem;
  border-left: 4px solid var(--line); }
.steps span { color: var(--soft); }
.steps .past { border-color: var(--accent); }
.steps .now { border-color: var(--accent); background: var(--ground); font-weight: 600; }
.timeline li { display: grid; grid-template-columns: 11.5rem 1fr; gap: .25rem 1rem;
  padding: .45rem 0; border-top: 1px solid var(--line); }
.timeline time, .timeline em { color: var(--soft); }
.timeline em { font-style: normal; }
dl { margin: 0; }
dt { font-weight: 600; }
dd { margin: 0 0 .75rem; white-space: pre-line; }
main > details { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) { .timeline li { grid-template-columns: 1fr; gap: 0; } }
`

interface PageFacts {
  row: ApplicationRow
  links: Links
  unsent?: UnsentAnswers | undefined
}

/** The page of an application; whoever has its link has the token too. */
export function statusPage(
  standing: Standing,
  row: ApplicationRow,
  { programme, links, unsent }: { programme: Programme; links: Links; unsent?: UnsentAnswers },
): Answer {
  const title = standings[row.status]
  const facts: PageFacts = { row, links, unsent }
  const again = standing.reapply_from
    ? againFrom(new Date(standing.reapply_from), links.reapplyUrl(row.id))
    : null
  const body = html`<main>
<header>
<p>${programme.name}</p>
<h1>${title}</h1>
<p>Application of <strong>${standing.company}</strong>, sent on ${day(row.submittedAt)}</p>
</header>
${refusalOf(standing, facts)}
<h2>What comes next</h2>
${nextStep(row)}
${again}
${actionsFor(row, programme, links)}
${questionsFor(standing, facts)}
${answeredOf(standing)}
${steps(row)}
${timelineOf(standing)}
${withdrawalOf(row, links)}
<p class="note">Your reference: ${standing.id}. Times are in UTC. Keep the address of this page to
yourself: whoever has it sees your application.</p>
</main>`
  return pageAnswer({ title: `${title} – ${standing.company}`, style, body })
}
