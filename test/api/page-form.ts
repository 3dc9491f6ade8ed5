/** Forms of our pages as a browser without scripts finds and sends them. */
import type { Answer, Call } from './kit.ts'

export const browser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

export interface PageForm {
  action: string
  fields: Record<string, string>
}

const entities: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}
const unescaped = (text = '') =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (one) => entities[one] ?? one)
const attribute = (tag: string, name: string) =>
  unescaped(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1])

function written(tag: string, markup: string): string {
  if (tag.startsWith('<textarea')) return unescaped(/^([^<]*)<\/textarea>/.exec(markup)?.[1])
  if (!tag.startsWith('<select')) return attribute(tag, 'value')
  const [options = ''] = markup.split('</select>')
  return attribute(/<option[^>]* selected[^>]*>/.exec(options)?.[0] ?? '', 'value')
}

/** The forms of a page with what stands in their fields. */
export function formsOf({ text }: Answer): PageForm[] {
  return [...text.matchAll(/<form method="post" action="([^"]*)">([\s\S]*?)<\/form>/g)].map(
    ([, action, inside = '']) => {
      const controls = [...inside.matchAll(/<(?:input|select|textarea)\b[^>]*>/g)]
      const fields = controls.map(({ 0: tag, index }) => [
        attribute(tag, 'name'),
        written(tag, inside.slice(index + tag.length)),
      ])
      return { action: unescaped(action), fields: Object.fromEntries(fields) }
    },
  )
}

/** Sends a form with some fields filled in; what the form does not have cannot be filled in. */
export function sendForm(
  call: Call,
  { action, fields }: PageForm,
  changes: Record<string, string> = {},
): Promise<Answer> {
  for (const name of Object.keys(changes)) expect(Object.keys(fields)).toContain(name)
  return call(action.replace(/^https?:\/\/[^/]+/, ''), {
    method: 'POST',
    raw: new URLSearchParams({ ...fields, ...changes }).toString(),
    headers: { ...browser, 'Content-Type': 'application/x-www-form-urlencoded' },
  })
}

/** What is said beside each field that is wrong. */
export function faultsBeside({ text }: Answer): Record<string, string> {
  const found = [...text.matchAll(/<span class="fault" id="([^"]+)\.fault">([^<]*)<\/span>/g)]
  return Object.fromEntries(found.map(([, name, words]) => [name, unescaped(words)]))
}
