import { createHash, createHmac } from 'node:crypto'

/** The signing time is the real one: a receiver refuses signatures that are minutes old. */
export function stripeSignature(secret: string, body: string): string {
  const seconds = Math.floor(Date.now() / 1000)
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${digest}`
}

export function docusignSignatures(keys: string[], body: string): Record<string, string> {
  const signatures = keys.map((key, index): [string, string] => [
    `X-DocuSign-Signature-${index + 1}`,
    createHmac('sha256', key).update(body).digest('base64'),
  ])
  return Object.fromEntries(signatures)
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
