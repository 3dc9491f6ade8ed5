import { createSecureContext, type SecureContext } from 'node:tls'
import { generate } from 'selfsigned'
import type { Certificate } from './certificate.ts'
import type { EdgeCertificate } from './records.ts'
import type { Store } from './store.ts'

const dayMs = 24 * 60 * 60 * 1000

/** A certificate for a domain, as the edge would get one: signed by the sandbox's own. */
export async function certificateFor(
  authority: Certificate,
  { name, days, now }: { name: string; days: number; now: Date },
): Promise<EdgeCertificate> {
  const notAfter = new Date(now.getTime() + days * dayMs)
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key: authority.key, cert: authority.cert },
    notBeforeDate: new Date(Math.min(now.getTime(), notAfter.getTime()) - dayMs),
    notAfterDate: notAfter,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
    ],
  })
  return { id: name, cert: made.cert, key: made.private, not_after: notAfter.toISOString() }
}

type Answer = (error: Error | null, context?: SecureContext) => void

/** Chooses by the name that is asked for; what has no certificate gets the sandbox's own. */
export function certificateByName(store: Store, own: Certificate) {
  return (name: string, answer: Answer): void => {
    const found = store.get('edge_certificates', name)
    answer(null, createSecureContext(found ?? { cert: own.cert, key: own.key }))
  }
}
