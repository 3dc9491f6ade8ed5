/** Text and HTML are two renderings of the same words, under the brand of whoever writes. */
import { escapeHtml } from '../escape-html.ts'

export interface MailContent {
  subject: string
  greeting: string
  paragraphs: string[]
  action?: { label: string; url: string }
  /** Which template wrote it, about what; own words of a brand are filled with these. */
  template?: string
  facts?: Facts
}

/** What a template writes about, by name. */
export type Facts = Record<string, unknown>

/** Whom mails of onboarding greet, and for which company. */
export interface Applicant {
  contact: string
  company: string
}

/** How mails of a programme, or of a partner's own environment, look. */
export interface Brand {
  name: string
  /** Colour of the button and of the line at the top, like `#0f4c5c`. */
  accent: string
  logoUrl: string | null
  footer: string | null
  supportAddress: string | null
}

export const plainBrand: Brand = {
  name: 'Tributary',
  accent: '#0f4c5c',
  logoUrl: null,
  footer: null,
  supportAddress: null,
}

/** What a tenant says of its own looks. */
export interface TenantLooks {
  emailSenderName: string
  primaryColor: string
  footerText: string
  supportAddress: string | null
}

/** The tenant's own looks where there are any, else those of the programme. */
export function dressedAs(programme: Brand, own: TenantLooks | undefined): Brand {
  if (!own) return programme
  return {
    name: own.emailSenderName,
    accent: own.primaryColor,
    // The platform's logo has no place beside another name.
    logoUrl: null,
    footer: own.footerText === '' ? null : own.footerText,
    supportAddress: own.supportAddress,
  }
}

export const hello = (name: string) => `Hello ${name},`

/** Words that an organisation has set for one of its mails. */
export interface OwnWords {
  subject: string
  paragraphs: string[]
  actionLabel: string | null
}

/** Every `{word}` that stands for a fact; what is no fact stays as it is. */
const fill = (text: string, facts: Facts) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    typeof facts[name] === 'string' ? facts[name] : whole,
  )

/** The mail in other words: whom it greets and where it leads stay as they are. */
export function inOwnWords(content: MailContent, words: OwnWords): MailContent {
  const facts = content.facts ?? {}
  const { action } = content
  return {
    ...content,
    subject: fill(words.subject, facts),
    paragraphs: words.paragraphs.map((paragraph) => fill(paragraph, facts)),
    ...(action ? { action: { ...action, label: words.actionLabel ?? action.label } } : {}),
  }
}

/** What stands below every mail: whose it is and whom to ask. */
function closingOf(brand: Brand): string[] {
  const support = brand.supportAddress ? [`Questions? Write to ${brand.supportAddress}.`] : []
  return [...support, ...(brand.footer ? [brand.footer] : [])]
}

export function renderText(content: MailContent, brand: Brand = plainBrand): string {
  const action = content.action ? [`${content.action.label}: ${content.action.url}`] : []
  const closing = closingOf(brand)
  const foot = closing.length > 0 ? [`-- \n${brand.name}\n${closing.join('\n')}`] : []
  return `${[content.greeting, ...content.paragraphs, ...action, ...foot].join('\n\n')}\n`
}

/** White or black, whichever is easier to read on this colour. */
export function inkOn(colour: string): '#ffffff' | '#000000' {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    Number.parseInt(colour.slice(at, at + 2), 16),
  )
  // The middle of the luminance weights of sRGB; enough to choose between two inks.
  return red * 299 + green * 587 + blue * 114 > 140_000 ? '#000000' : '#ffffff'
}

function button({ label, url }: { label: string; url: string }, { accent }: Brand): string {
  const style =
    'display:inline-block;padding:12px 20px;border-radius:6px;' +
    `background:${accent};color:${inkOn(accent)};text-decoration:none`
  return `<p><a href="${escapeHtml(url)}" style="${style}">${escapeHtml(label)}</a></p>`
}

function mastheadOf(brand: Brand): string {
  if (!brand.logoUrl) {
    return `<p style="margin-top:0;color:#5b6b78">${escapeHtml(brand.name)}</p>\n`
  }
  const [source, name] = [escapeHtml(brand.logoUrl), escapeHtml(brand.name)]
  return `<p><img src="${source}" alt="${name}" style="max-height:48px;max-width:200px"></p>\n`
}

function footOf(brand: Brand): string {
  const closing = closingOf(brand)
  if (closing.length === 0) return ''
  const lines = [brand.name, ...closing].map(escapeHtml).join('<br>')
  const style = 'color:#5b6b78;font-size:13px;border-top:1px solid #dde3e8;padding-top:12px'
  return `<p style="${style}">${lines}</p>\n`
}

export function renderHtml(content: MailContent, brand: Brand = plainBrand): string {
  const paragraphs = [content.greeting, ...content.paragraphs]
    .map((text) => `<p>${escapeHtml(text)}</p>`)
    .join('\n')
  const action = content.action ? button(content.action, brand) : ''
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(content.subject)}</title></head>
<body style="margin:0;background:#f4f6f8;font:16px/1.5 system-ui,sans-serif;color:#1d2b36">
<div style="max-width:560px;margin:24px auto;padding:24px;background:#ffffff;border-radius:8px;\
border-top:4px solid ${brand.accent};overflow-wrap:anywhere">
${mastheadOf(brand)}${paragraphs}
${action}
${footOf(brand)}</div>
</body>
</html>
`
}
