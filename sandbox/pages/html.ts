const brand = Symbol('html')

/** Markup that may stand in a page as it is; everything else is escaped on its way in. */
export interface Html {
  readonly [brand]: string
}

export type Part = string | number | null | undefined | false | Html | Html[]

export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  const markup = strings.reduce((sum, text, index) => sum + markupOf(parts[index - 1]) + text)
  return { [brand]: markup }
}

export function markupOf(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (Array.isArray(part)) return part.map(markupOf).join('')
  return typeof part === 'object' ? part[brand] : escapeText(String(part))
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** Turns web addresses of a text into links. */
export function linked(text: string): Html {
  const pieces = text.split(/(https?:\/\/[^\s<>"']+)/)
  return html`${pieces.map((piece, index) =>
    index % 2 === 1 ? html`<a href="${piece}" rel="noreferrer">${piece}</a>` : html`${piece}`,
  )}`
}
