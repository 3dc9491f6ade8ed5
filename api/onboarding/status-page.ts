/** Where an application stands, as a page for the person who applied. */
import type { ApplicationRow } from '../../db/onboarding/applications.ts'
import type { Programme } from '../../db/programmes.ts'
import {
  type ApplicationStage,
  type ApplicationStatus,
  applicationStages,
  isClosed,
  isDecided,
} from '../../domain/onboarding.ts'
import type { Links } from '../../integrations/links.ts'
import { html, type Markup, pageAnswer } from '../html.ts'
import type { Answer } from '../route.ts'

/** What the page is about; the applicant's own answer, and nothing that is not in it. */
interface Standing {
  id: string
  company: string
  timeline: { at: string; what: string; actor: string }[]
  reapply_from: string | null
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
    }) => html`<li><time datetime="${at}">${timeNames.format(new Date(at))} UTC</time>
<span>${what} <em>by ${actorName(actor)}</em></span></li>
`,
  )
  return html`<h2>What happened</h2>
<ol class="timeline" reversed>
${entries.toReversed()}
</ol>`
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

const style = `
:root { color-scheme: light dark; --ink: #1d2b36; --soft: #55636e; --paper: #ffffff;
  --ground: #f4f6f8; --line: #d5dce2; --accent: #0f4c5c; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf1; --soft: #a9b6c0; --paper: #18222b;
  --ground: #0f161c; --line: #33424e; --accent: #7fc4d6; --on: #0f161c; } }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 40rem; margin: 2rem auto; padding: 1.5rem 1.75rem; background: var(--paper);
  border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 8px;
  box-sizing: border-box; overflow-wrap: anywhere; }
header p { margin: 0; color: var(--soft); }
h1 { margin: .25rem 0 1rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
ol { margin: 0; padding: 0; list-style: none; }
.steps li { display: flex; justify-content: space-between; gap: 1rem; padding: .45rem .75rem;
  border-left: 4px solid var(--line); }
.steps span { color: var(--soft); }
.steps .past { border-color: var(--accent); }
.steps .now { border-color: var(--accent); background: var(--ground); font-weight: 600; }
.timeline li { display: grid; grid-template-columns: 11.5rem 1fr; gap: .25rem 1rem;
  padding: .45rem 0; border-top: 1px solid var(--line); }
.timeline time, .timeline em, .note { color: var(--soft); }
.timeline em { font-style: normal; }
.button, button { display: inline-block; padding: .7rem 1.2rem; border: 0; border-radius: 6px;
  background: var(--accent); color: var(--on); font: inherit; text-decoration: none;
  cursor: pointer; }
a:focus-visible, button:focus-visible, summary:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 3px; }
details { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { main { margin: 0; border-radius: 0; padding: 1.25rem; }
  .timeline li { grid-template-columns: 1fr; gap: 0; } }
`

/** The page of an application; whoever has its link has the token too. */
export function statusPage(
  standing: Standing,
  row: ApplicationRow,
  { programme, links }: { programme: Programme; links: Links },
): Answer {
  const title = standings[row.status]
  const again = standing.reapply_from
    ? html`<p>You can apply again from ${day(standing.reapply_from)} on. Keep this link for it.</p>`
    : null
  const body = html`<main>
<header>
<p>${programme.name}</p>
<h1>${title}</h1>
<p>Application of <strong>${standing.company}</strong>, sent on ${day(row.submittedAt)}</p>
</header>
<h2>What comes next</h2>
${nextStep(row)}
${again}
${actionsFor(row, programme, links)}
${steps(row)}
${timelineOf(standing)}
${withdrawalOf(row, links)}
<p class="note">Your reference: ${standing.id}. Times are in UTC. Keep the address of this page to
yourself: whoever has it sees your application.</p>
</main>`
  return pageAnswer({ title: `${title} – ${standing.company}`, style, body })
}
