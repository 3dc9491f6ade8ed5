/** What the public DNS and the edge say of a domain. */
import { Resolver } from 'node:dns/promises'
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls'
import { VendorError } from './vendor-error.ts'

export interface DomainSettings {
  /** `address:port`; those of the system where there are none. */
  dnsServers: string[]
  /** `host:port` of the edge that serves the domains over TLS. */
  edgeAddress: string
  /** Whom to trust beside the public authorities, in PEM. */
  edgeCa: string | undefined
  /** Where domains have to point. */
  target: string
}

export type DomainProbe = ReturnType<typeof createDomainProbe>

const absent = new Set(['ENOTFOUND', 'ENODATA'])

/** Null for what is not there; a server that does not answer says nothing about that. */
async function ask<T>(question: Promise<T>): Promise<T | null> {
  try {
    return await question
  } catch (error) {
    const { code = 'dns' } = error as { code?: string }
    if (absent.has(code)) return null
    const fact = { vendor: 'dns', failure: 'unknown', code: code.toLowerCase() } as const
    throw new VendorError({ ...fact, message: 'no answer of the name servers' })
  }
}

export function createDomainProbe({ dnsServers, edgeAddress, edgeCa, target }: DomainSettings) {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  if (dnsServers.length > 0) resolver.setServers(dnsServers)

  async function addressesOf(name: string): Promise<string[]> {
    const [four, six] = await Promise.all([
      ask(resolver.resolve4(name)),
      ask(resolver.resolve6(name)),
    ])
    return [...(four ?? []), ...(six ?? [])]
  }

  return {
    target,

    /** Whether the name has this TXT record, among others. @throws VendorError `unknown` */
    async hasText(name: string, expected: string): Promise<boolean> {
      const records = (await ask(resolver.resolveTxt(name))) ?? []
      return records.some((parts) => parts.join('') === expected)
    },

    /** Whether the domain leads to us, by name or by address. @throws VendorError `unknown` */
    async leadsHere(domain: string): Promise<boolean> {
      const names = (await ask(resolver.resolveCname(domain))) ?? []
      if (names.some((name) => name.replace(/\.$/, '').toLowerCase() === target)) return true
      const [own, ours] = await Promise.all([addressesOf(domain), addressesOf(target)])
      return own.some((address) => ours.includes(address))
    },

    /** When the certificate ends that the edge shows for a domain; null for none that is good. */
    async certificateEnd(domain: string): Promise<Date | null> {
      const certificate = await shownCertificate({ edgeAddress, edgeCa, domain })
      if (!certificate) return null
      const wrong = checkServerIdentity(domain, certificate)
      const end = new Date(certificate.valid_to)
      return wrong || end.getTime() < Date.now() ? null : end
    },
  }
}

const handshakeMs = 5_000

function shownCertificate(about: {
  edgeAddress: string
  edgeCa: string | undefined
  domain: string
}): Promise<PeerCertificate | null> {
  const [host = '', port = '443'] = about.edgeAddress.split(':')
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port),
      servername: about.domain,
      // What is wrong with a certificate is our question, and nothing is sent.
      rejectUnauthorized: false,
      ...(about.edgeCa ? { ca: about.edgeCa } : {}),
      timeout: handshakeMs,
    })
    const end = (certificate: PeerCertificate | null) => {
      socket.destroy()
      resolve(certificate)
    }
    socket.once('secureConnect', () => end(socket.authorized ? socket.getPeerCertificate() : null))
    socket.once('timeout', () => end(null))
    socket.once('error', () => end(null))
  })
}
