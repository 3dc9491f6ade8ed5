import type { Context } from 'koa'
import { type Html, html, markupOf, type Part } from './html.ts'
import { style } from './style.ts'

const sections = [
  ['/', 'Overview'],
  ['/envelopes', 'Envelopes'],
  ['/accounts', 'Accounts'],
  ['/invoices', 'Invoices'],
  ['/charges', 'Charges'],
  ['/transfers', 'Transfers'],
  ['/mailbox', 'Mailbox'],
  ['/clock', 'Clock'],
  ['/faults', 'Faults'],
] as const

export interface Page {
  title: string
  lead?: Part
  body: Html
  /** The section that is lit up; a page for customers has no navigation at all. */
  section?: (typeof sections)[number][0]
  status?: number
}

export function sendPage(ctx: Context, page: Page): void {
  ctx.status = page.status ?? 200
  ctx.type = 'text/html; charset=utf-8'
  ctx.set('Cache-Control', 'no-store')
  ctx.set('Referrer-Policy', 'no-referrer')
  ctx.set('X-Content-Type-Options', 'nosniff')
  ctx.set(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; " +
      "base-uri 'none'",
  )
  ctx.body = `<!doctype html>\n${markupOf(documentOf(page))}`
}

function documentOf({ title, lead, body, section }: Page): Html {
  const narrow = section === undefined ? 'narrow' : ''
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Sandbox</title>
<style>${trusted(style)}</style>
</head>
<body>
<header><div class="bar ${narrow}">
<a class="brand" href="/">Sandbox<small>stand-ins, no real money</small></a>
${section === undefined ? '' : navigation(section)}
</div></header>
<main class="${narrow}">
<h1>${title}</h1>
${lead === undefined ? '' : html`<p class="lead">${lead}</p>`}
${body}
</main>
</body>
</html>`
}

/** The one text of ours that must not be escaped: a style sheet knows no entities. */
function trusted(text: string): Html {
  const strings = Object.assign([text], { raw: [text] })
  return html(strings as unknown as TemplateStringsArray)
}

function navigation(section: string): Html {
  const links = sections.map(([path, name]) =>
    path === section
      ? html`<a href="${path}" aria-current="page">${name}</a>`
      : html`<a href="${path}">${name}</a>`,
  )
  return html`<nav>${links}</nav>`
}

export interface Column {
  name: string
  number?: boolean
}

export function table(columns: Column[], rows: Part[][]): Html {
  if (rows.length === 0) return html`<div class="card empty">Nothing here yet.</div>`
  const classOf = ({ number }: Column): string => (number ? 'number' : '')
  const head = columns.map((column) => html`<th class="${classOf(column)}">${column.name}</th>`)
  const body = rows.map((cells) => {
    const shown = columns.map(
      (column, index) =>
        html`<td class="${classOf(column)}" data-label="${column.name}">${cells[index]}</td>`,
    )
    return html`<tr>${shown}</tr>`
  })
  return html`<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`
}

const good = ['active', 'completed', 'paid', 'succeeded', 'won', 'delivered']
const bad = [
  'declined',
  'voided',
  'void',
  'failed',
  'rejected',
  'lost',
  'uncollectible',
  'canceled',
]
const wait = ['sent', 'open', 'restricted', 'pending', 'needs_response', 'incomplete', 'past_due']

export function tag(status: string): Html {
  const tone = good.includes(status) ? 'good' : bad.includes(status) ? 'bad' : ''
  return html`<span class="tag ${wait.includes(status) ? 'wait' : tone}">${status}</span>`
}

/** A button that posts. `field` adds one small input beside it. */
export function button(
  to: string,
  label: string,
  { main = false, fields }: { main?: boolean; fields?: Html } = {},
): Html {
  return html`<form method="post" action="${to}">${fields}
<button class="${main ? 'main' : ''}">${label}</button></form>`
}

/** Two lines in a cell, the second one smaller. */
export function pair(first: Part, second: Part): Html {
  return html`<div>${first}</div><div class="small soft">${second}</div>`
}

export function metadataOf(metadata: Record<string, string>): Html {
  const pairs = Object.entries(metadata).map(
    ([key, value]) =>
      html`<div class="small"><span class="soft">${key}</span> <code>${value}</code></div>`,
  )
  return html`${pairs}`
}

/** `2026-11-21 08:07:09` in UTC. */
export function moment(at: string | number | null): string {
  if (at === null) return ''
  const iso = typeof at === 'number' ? new Date(at * 1000).toISOString() : at
  return iso.slice(0, 19).replace('T', ' ')
}
