/** Text and HTML are two renderings of the same words. */

export interface MailContent {
  subject: string
  greeting: string
  paragraphs: string[]
  action?: { label: string; url: string }
}

/** Whom mails of onboarding greet, and for which company. */
export interface Applicant {
  contact: string
  company: string
}

export const hello = (name: string) => `Hello ${name},`

export function renderText(content: MailContent): string {
  const action = content.action ? [`${content.action.label}: ${content.action.url}`] : []
  return `${[content.greeting, ...content.paragraphs, ...action].join('\n\n')}\n`
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => escapes[character] ?? character)
}

const buttonStyle =
  'display:inline-block;padding:12px 20px;border-radius:6px;' +
  'background:#0f4c5c;color:#ffffff;text-decoration:none'

function button({ label, url }: { label: string; url: string }): string {
  return `<p><a href="${escapeHtml(url)}" style="${buttonStyle}">${escapeHtml(label)}</a></p>`
}

export function renderHtml(content: MailContent): string {
  const paragraphs = [content.greeting, ...content.paragraphs]
    .map((text) => `<p>${escapeHtml(text)}</p>`)
    .join('\n')
  const action = content.action ? button(content.action) : ''
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(content.subject)}</title></head>
<body style="margin:0;background:#f4f6f8;font:16px/1.5 system-ui,sans-serif;color:#1d2b36">
<div style="max-width:560px;margin:24px auto;padding:24px;background:#ffffff;border-radius:8px">
${paragraphs}
${action}
</div>
</body>
</html>
`
}
