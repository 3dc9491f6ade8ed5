import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { StripeEndpoint } from './records.ts'

export interface StripeSettings {
  secret_key: string
  endpoints: Omit<StripeEndpoint, 'id'>[]
}

export interface DocusignSettings {
  integration_key: string
  user_id: string
  account_id: string
  public_key_pem: string
  hmac_keys: string[]
}

export interface SandboxOptions {
  /** Where it listens; anything but 127.0.0.1 is for containers, whose ports are published. */
  host: string
  httpPort: number
  tlsPort: number
  smtpPort: number
  tlsDir: string
  /** Null keeps everything in memory only. */
  state: string | null
  seed: number
  settings: { stripe: StripeSettings; docusign: DocusignSettings | null }
}

/** A mistake of the person who starts the sandbox: told in one sentence, exit code 2. */
export class WrongUse extends Error {}

export const usage = `usage: node sandbox/main.ts --tls-dir DIR --settings FILE [options]

Stand-ins of Stripe and DocuSign and a mailbox. There is no login: keep them to this machine.

  --host ADDRESS       where it listens (default 127.0.0.1)
  --http-port N        Stripe, DocuSign REST, control plane and pages (default 0: any free port)
  --tls-port N         DocuSign OAuth over TLS (default 0)
  --smtp-port N        the mailbox (default 0)
  --tls-dir DIR        where cert.pem and key.pem are made or kept
  --settings FILE      JSON: {"stripe": {"secret_key", "endpoints": [{"url", "secret",
                       "payload": "snapshot" or "thin", "enabled_events": [types, else
                       all of them]}]}, "docusign": {"integration_key",
                       "user_id", "account_id", "public_key_pem", "hmac_keys": []}}
  --state FILE         journal of everything that happened (default: memory only)
  --seed N             seed of the faults' randomness (default 1)
  --help               this text
`

export interface CommandLine {
  help: boolean
  options: SandboxOptions | null
}

export function readCommandLine(args: string[]): CommandLine {
  const { values } = parseFlags(args)
  if (values.help) return { help: true, options: null }
  const options: SandboxOptions = {
    host: readText('--host', values.host),
    httpPort: readNumber('--http-port', values['http-port'], 65_535),
    tlsPort: readNumber('--tls-port', values['tls-port'], 65_535),
    smtpPort: readNumber('--smtp-port', values['smtp-port'], 65_535),
    tlsDir: readText('--tls-dir', values['tls-dir']),
    state: values.state ?? null,
    seed: readNumber('--seed', values.seed, 0xffff_ffff),
    settings: readSettings(readText('--settings', values.settings)),
  }
  return { help: false, options }
}

function parseFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        'http-port': { type: 'string', default: '0' },
        'tls-port': { type: 'string', default: '0' },
        'smtp-port': { type: 'string', default: '0' },
        'tls-dir': { type: 'string' },
        settings: { type: 'string' },
        state: { type: 'string' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new WrongUse(error instanceof Error ? error.message : String(error))
  }
}

function readNumber(flag: string, text: string | undefined, most: number): number {
  const value = Number(text)
  if (text === undefined || !/^\d+$/.test(text) || value > most) {
    throw new WrongUse(`${flag} is "${text}", expected a whole number from 0 to ${most}`)
  }
  return value
}

function readText(flag: string, text: string | undefined): string {
  if (!text) throw new WrongUse(`${flag} is missing`)
  return text
}

export function readSettings(file: string): SandboxOptions['settings'] {
  if (!existsSync(file)) throw new WrongUse(`--settings: there is no file ${file}`)
  let found: unknown
  try {
    found = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw new WrongUse(`--settings: ${file} is not JSON`)
  }
  refuseLiveKeys(found)
  const settings = asObject('settings', found)
  const docusign = settings.docusign
  return {
    stripe: stripeSettings(asObject('stripe', settings.stripe)),
    docusign: docusign === undefined ? null : docusignSettings(asObject('docusign', docusign)),
  }
}

/** A live key here means that somebody mixed up two configurations; nothing may start then. */
export function refuseLiveKeys(settings: unknown): void {
  const live = /\b(sk_live_|rk_live_|pk_live_)/.exec(JSON.stringify(settings) ?? '')
  if (live) {
    throw new WrongUse(
      `the settings hold a live key (${live[1]}…); the sandbox takes only test keys`,
    )
  }
}

function stripeSettings(found: Record<string, unknown>): StripeSettings {
  const secret_key = textIn('stripe', found, 'secret_key')
  if (!secret_key.startsWith('sk_test_')) {
    throw new WrongUse('stripe.secret_key must start with sk_test_')
  }
  return { secret_key, endpoints: readEndpoints(found.endpoints ?? []) }
}

/** An endpoint's id is its place among those of its kind, so a backlog survives a new port. */
export function readEndpoints(found: unknown): StripeEndpoint[] {
  if (!Array.isArray(found)) throw new WrongUse('the Stripe endpoints must be a list')
  refuseLiveKeys(found)
  const seen = { snapshot: 0, thin: 0 }
  return found.map((entry: unknown, index) => {
    const where = `endpoints[${index}]`
    const endpoint = asObject(where, entry)
    const payload = endpoint.payload ?? 'snapshot'
    if (payload !== 'snapshot' && payload !== 'thin') {
      throw new WrongUse(`${where}.payload is ${JSON.stringify(payload)}, not snapshot or thin`)
    }
    const url = textIn(where, endpoint, 'url')
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new WrongUse(`${where}.url is "${url}", not an http address`)
    }
    seen[payload] += 1
    const secret = textIn(where, endpoint, 'secret')
    const enabled_events = eventsIn(where, endpoint)
    const id = `we_${payload}_${seen[payload]}`
    return { id, url, secret, payload, ...(enabled_events ? { enabled_events } : {}) }
  })
}

function eventsIn(where: string, { enabled_events: found }: Record<string, unknown>) {
  if (found === undefined) return undefined
  if (!Array.isArray(found) || !found.every((type) => typeof type === 'string')) {
    throw new WrongUse(`${where}.enabled_events must be a list of types`)
  }
  return found as string[]
}

function docusignSettings(found: Record<string, unknown>): DocusignSettings {
  const hmac_keys = found.hmac_keys ?? []
  if (!Array.isArray(hmac_keys) || !hmac_keys.every((key) => typeof key === 'string')) {
    throw new WrongUse('docusign.hmac_keys must be a list of texts')
  }
  return {
    integration_key: textIn('docusign', found, 'integration_key'),
    user_id: textIn('docusign', found, 'user_id'),
    account_id: textIn('docusign', found, 'account_id'),
    public_key_pem: publicKeyIn(found),
    hmac_keys,
  }
}

function publicKeyIn(found: Record<string, unknown>): string {
  const pem = textIn('docusign', found, 'public_key_pem')
  try {
    createPublicKey(pem)
    return pem
  } catch {
    throw new WrongUse("the settings' docusign.public_key_pem is not a public key in PEM")
  }
}

function asObject(where: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new WrongUse(`the settings' "${where}" is missing or not an object`)
}

function textIn(where: string, object: Record<string, unknown>, key: string): string {
  const value = object[key]
  if (typeof value === 'string' && value !== '') return value
  throw new WrongUse(`the settings' ${where}.${key} is missing or not a text`)
}
