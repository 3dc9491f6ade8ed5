/** What people may write into mails of their own words, and how such a mail will look. */
import { type MailContent, type MailTemplate, mails } from './index.ts'
import type { Facts } from './layout.ts'
import { sampleFacts } from './samples.ts'

/** What partners may put into their own words: mails that go out in their name. */
export const partnerTemplates: readonly MailTemplate[] = [
  'memberInvitation',
  'passwordReset',
  'accessChanged',
]

/** The mail as its template writes it, about facts that nobody has. */
export function sampleMail(template: MailTemplate): MailContent {
  const write = mails[template] as (about: Facts) => MailContent
  return write(sampleFacts)
}

/** The mail as its template writes it, with the `{words}` that stand for facts in their places. */
export function standardWords(template: MailTemplate): MailContent {
  const write = mails[template] as (about: Facts) => MailContent
  return write(
    new Proxy<Facts>(sampleFacts, {
      get: (facts, name: string) => (isPlaceholder(name) ? `{${name}}` : facts[name]),
    }),
  )
}

/** Money is written as money, and where a mail leads is not up to its words. */
function isPlaceholder(name: string): boolean {
  const facts: Facts = sampleFacts
  return typeof facts[name] === 'string' && name !== 'currency' && !name.endsWith('Url')
}

/** The `{words}` that a template knows: everything it writes about but money and addresses. */
export function placeholdersOf(template: MailTemplate): string[] {
  const asked = new Set<string>()
  const watched = new Proxy<Facts>(sampleFacts, {
    get(facts, name: string) {
      asked.add(name)
      return facts[name]
    },
  })
  const write = mails[template] as (about: Facts) => MailContent
  write(watched)
  const facts: Facts = sampleFacts
  return [...asked]
    .filter((name) => typeof facts[name] === 'string' && !name.endsWith('Url'))
    .sort()
}

/** Words in braces that this template does not know. */
export function unknownPlaceholders(template: MailTemplate, text: string): string[] {
  const known = new Set(placeholdersOf(template))
  return [...text.matchAll(/\{(\w+)\}/g)]
    .map(([, name = '']) => name)
    .filter((name) => !known.has(name))
}
