/** The page on which one applies: a form that works without scripts, sent to the API as it is. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import { type DomainError, isDomainError } from '../../domain/errors.ts'
import { onceField } from '../forms.ts'
import { html, type Markup, pageAnswer } from '../html.ts'
import {
  type Faults,
  faultsOf,
  fieldMarkup,
  type PageField,
  problemMarkup,
} from '../page-fields.ts'
import { pageStyle } from '../page-style.ts'
import { type Answer, type BrowserForm, openRoute, type Route, type SentForm } from '../route.ts'
import { text } from '../validate.ts'
import { openInvitation, presentForm } from './application-invitations.ts'
import {
  type AskedForm,
  applicationBody,
  people,
  type Section,
  sectionsOf,
  valuesOf,
} from './apply-fields.ts'

const pageQuery = z.strictObject({
  /** Of an invitation. */
  token: text(200).optional(),
  /** A rejected application and the token of its link, as its page leads here. */
  reapplies: text(200).optional(),
  proof: text(200).optional(),
})

export function applyPageRoutes(): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/apply',
      tag: 'Onboarding',
      summary: 'The page on which one applies',
      description:
        'For people: what is written there is sent to POST /v1/applications. Invitations lead ' +
        'here, and so does the page of an application that was not accepted.',
      access: 'public',
      query: pageQuery,
      answers: { 200: { description: 'The page', mediaType: 'text/html' } },
      refusals: ['not_found', 'gone'],
      handle: async ({ as, query, operationId }) => {
        const db = as('intake', operationId)
        const { token, reapplies, proof } = query
        const asked = await askedOf(db, token)
        const values = firstValues(asked)
        if (token !== undefined) values.set('invitation', token)
        if (reapplies !== undefined) values.set('reapplies.application', reapplies)
        if (proof !== undefined) values.set('reapplies.token', proof)
        return applyPage(asked, { values })
      },
    }),
  ]
}

/** @throws DomainError `not_found`, `gone` for a token that opens no invitation. */
async function askedOf(db: Db, token: string | undefined): Promise<AskedForm> {
  return presentForm(db, token === undefined ? null : await openInvitation(db, token))
}

function firstValues({ invitation }: AskedForm): Map<string, string> {
  if (!invitation) return new Map()
  const { contact, level, type } = invitation
  return new Map([
    ['contact.name', contact.name],
    ['contact.email', contact.email],
    ['level', level],
    ['type', type ?? ''],
  ])
}

/** A form of a browser to `POST /v1/applications`. */
export const applicationPage: BrowserForm = {
  body: applicationBody,
  answered: (_sent, answer) => takenPage(answer),
  refused: refusedPage,
}

async function refusedPage({ fields, as }: SentForm, refusal: DomainError): Promise<Answer> {
  const db = as('intake', randomUUID())
  const values = valuesOf(fields)
  const token = fields.get('invitation') ?? undefined
  const asked = await askedOf(db, token).catch((error: unknown) => {
    // An invitation that ended meanwhile is no reason to lose what was written.
    if (!isDomainError(error, 'gone') && !isDomainError(error, 'not_found')) throw error
    values.delete('invitation')
    return askedOf(db, undefined)
  })
  return applyPage(asked, { values, refusal })
}

const sentences: Partial<Record<DomainError['code'], string>> = {
  gone: 'The invitation was used, withdrawn or is too old. You can send this without it.',
  idempotency_key_reused:
    'You sent this form before. If you mean another application, send it once more.',
  invalid_request: 'Some fields are not as they should be. What you wrote is still there.',
  parent_not_active: 'The partner above you cannot take you in.',
  too_many_requests: 'Too many applications came from you. Please come back later.',
}

/** Said at the field, though the refusal names none. */
const unfitParent = {
  pointer: '/parent',
  code: 'unfit',
  detail: 'it does not exist, is not active, or may not have partners of this level',
}

function problemOf(fields: PageField[], refusal: DomainError) {
  const problems = refusal.code === 'parent_not_active' ? [unfitParent] : refusal.details.fields
  const { faults, others } = faultsOf(fields, problems ?? [])
  const sentence = sentences[refusal.code] ?? inSentence(refusal.message)
  const more = others
    .filter((problem) => problem !== unfitParent)
    .map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}.`)
  return { faults, text: [sentence, ...more].join(' ') }
}

const inSentence = (message: string) => `${message.charAt(0).toUpperCase()}${message.slice(1)}.`

interface PageState {
  values: Map<string, string>
  refusal?: DomainError
}

const hidden = (name: string, value: string | undefined) =>
  value === undefined
    ? null
    : html`<input type="hidden" name="${name}" value="${value}">
`

function sectionMarkup(section: Section, values: Map<string, string>, faults: Faults): Markup {
  const { legend, note, fields } = section
  const inside = html`${note ? html`<p class="hint">${note}</p>` : null}
${fields.map((field) => fieldMarkup(field, values.get(field.name) ?? '', faults))}`
  if (section !== people) {
    return html`<fieldset>
<legend>${legend}</legend>
${inside}</fieldset>
`
  }
  const used = fields.some(({ name }) => values.get(name) || faults.has(name))
  return html`<details${used ? html` open` : null}>
<summary>${legend} <span>(optional)</span></summary>
<fieldset><legend class="away">${legend}</legend>
${inside}</fieldset>
</details>
`
}

function invitedBy({ invitation, programme }: AskedForm): Markup | null {
  if (!invitation) return null
  return html`<p><strong>${invitation.inviter ?? programme}</strong> invites you.</p>
${invitation.message ? html`<blockquote>${invitation.message}</blockquote>` : null}`
}

function applyPage(asked: AskedForm, { values, refusal }: PageState): Answer {
  const sections = sectionsOf(asked)
  const fields = sections.flatMap((section) => section.fields)
  const problem = refusal && problemOf(fields, refusal)
  const faults: Faults = problem?.faults ?? new Map()
  const body = html`<main>
<header>
<p>${asked.programme}</p>
<h1>Apply as a partner</h1>
</header>
${problem ? problemMarkup(problem.text, fields, faults) : null}
${invitedBy(asked)}
<p>We answer by mail. You get a link under which you see at every moment where your application
stands.</p>
<form method="post" action="/v1/applications">
${hidden(onceField, randomUUID())}${hidden('invitation', values.get('invitation'))}
${hidden('reapplies.application', values.get('reapplies.application'))}
${hidden('reapplies.token', values.get('reapplies.token'))}
${hidden('expected_volume.currency', asked.currency)}
${sections.map((section) => sectionMarkup(section, values, faults))}
<p><button>Send the application</button></p>
</form>
</main>`
  const title = `${refusal ? 'Not sent: ' : ''}Apply as a partner – ${asked.programme}`
  return pageAnswer({ title, style, body })
}

const taken = z.object({ id: z.string(), status_url: z.string() })

function takenPage(answer: Answer): Answer {
  const { id, status_url: url } = taken.parse(answer.body)
  const body = html`<main>
<h1>We have your application</h1>
<p>We look at it and answer by mail. Your own page shows at every moment where it stands and what
comes next.</p>
<p><a class="button" href="${url}">See your application</a></p>
<p class="note">Your reference: ${id}. Keep the address of your page to yourself: whoever has it
sees your application.</p>
</main>`
  const page = pageAnswer({ title: 'We have your application', style: pageStyle, body })
  return { ...page, status: answer.status, headers: { ...answer.headers, ...page.headers } }
}

const style = `${pageStyle}
details fieldset { margin-top: .75rem; padding-left: 1rem; border-left: 4px solid var(--line); }
details summary { font-size: 1.1rem; font-weight: 700; color: var(--ink); }
summary span { color: var(--soft); font-weight: 400; font-size: 1rem; }
.away { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
blockquote { margin: 1rem 0; padding: .25rem 0 .25rem 1rem; border-left: 4px solid var(--line);
  white-space: pre-line; }
form > p { margin-top: 2rem; }
`
