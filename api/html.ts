/** Pages that we write ourselves: text that is put into one never becomes markup. */
import { createHash } from 'node:crypto'
import { escapeHtml } from '../integrations/escape-html.ts'
import type { Answer } from './route.ts'

/** Markup that was made by `html`. */
export interface Markup {
  readonly markup: string
}

type Part = string | number | Markup | null | readonly Markup[]

function written(part: Part): string {
  if (part === null) return ''
  if (typeof part === 'object') {
    return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('')
  }
  return escapeHtml(String(part))
}

/** What stands in `${…}` is text, unless it is markup itself; null is nothing. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Markup {
  const markup = texts.map((text, n) => text + written(parts[n] ?? null)).join('')
  return { markup }
}

/** Whether it is a browser that a person sits at who asks. Programs do not ask for HTML. */
export function wantsPage(header: (name: string) => string): boolean {
  return /\btext\/html\b/i.test(header('Accept'))
}

/** A page of its own, without scripts and with this one style. */
export function pageAnswer(page: {
  title: string
  style: string
  body: Markup
  status?: number
}): Answer {
  const styleHash = createHash('sha256').update(page.style).digest('base64')
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${page.title}</title>
<style>${{ markup: page.style }}</style>
</head>
<body>
${page.body}
</body>
</html>
`
  return {
    status: page.status ?? 200,
    body: Buffer.from(document.markup),
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy.join('; '),
    },
  }
}
