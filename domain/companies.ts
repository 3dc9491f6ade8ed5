/** By what a company is known again: its registration number, its name, the domain of its mail. */

/** Mail providers at whose domains anybody has an address: they tell of no company. */
const publicMailDomains: ReadonlySet<string> = new Set([
  ...['126.com', '163.com', 'aol.com', 'bol.com.br', 'bigpond.com', 'btinternet.com'],
  ...['comcast.net', 'duck.com', 'fastmail.com', 'free.fr', 'freenet.de', 'gmail.com'],
  ...['gmx.at', 'gmx.ch', 'gmx.com', 'gmx.de', 'gmx.net', 'googlemail.com', 'hey.com'],
  ...['hotmail.co.uk', 'hotmail.com', 'hotmail.de', 'hotmail.fr', 'hotmail.it', 'icloud.com'],
  ...['inbox.ru', 'laposte.net', 'libero.it', 'list.ru', 'live.com', 'mac.com', 'mail.com'],
  ...['mail.de', 'mail.ru', 'me.com', 'msn.com', 'naver.com', 'o2.pl', 'orange.fr'],
  ...['outlook.com', 'outlook.de', 'outlook.fr', 'pm.me', 'posteo.de', 'proton.me'],
  ...['protonmail.com', 'qq.com', 'rediffmail.com', 'rocketmail.com', 'sapo.pt', 'seznam.cz'],
  ...['sfr.fr', 't-online.de', 'tutanota.com', 'uol.com.br', 'verizon.net', 'virgilio.it'],
  ...['wanadoo.fr', 'web.de', 'wp.pl', 'yahoo.co.jp', 'yahoo.co.uk', 'yahoo.com'],
  ...['yahoo.com.br', 'yahoo.de', 'yahoo.es', 'yahoo.fr', 'yandex.com', 'yandex.ru'],
  ...['ymail.com', 'zoho.com'],
])

/** What stands after the @ of an address, in small letters. */
export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1).toLowerCase()
}

/** The domain of an address where it is a company's own; null for a public mail provider. */
export function companyDomainOf(email: string): string | null {
  const domain = domainOf(email)
  return publicMailDomains.has(domain) ? null : domain
}

/**
 * A registration number as letters and digits alone: spaces, dashes, dots and case go.
 * @returns null where nothing is left.
 */
export function normalizedRegistration(number: string): string | null {
  const kept = number
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '')
  return kept === '' ? null : kept
}

const legalForms = new Set([
  ...['ab', 'ag', 'aps', 'asa', 'bv', 'co', 'company', 'corp', 'corporation', 'doo', 'gmbh', 'inc'],
  ...['incorporated', 'kft', 'kg', 'limited', 'llc', 'llp', 'lp', 'ltd', 'ltda', 'nv', 'ohg', 'oy'],
  ...['oyj', 'plc', 'pte', 'pty', 'sa', 'sarl', 'sas', 'spa', 'srl', 'sro', 'ug'],
])

/** The same name written differently is the same company: case, spaces and legal form go. */
export function normalizedCompanyName(name: string): string {
  const words = name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/(?<!\p{Letter})(\p{Letter})\.(?!\p{Letter}{2})/gu, '$1')
    .split(/[^\p{Letter}\p{Number}]+/u)
    .filter((word) => word !== '')
  const own = words.filter((word) => !legalForms.has(word))
  return (own.length > 0 ? own : words).join(' ')
}
