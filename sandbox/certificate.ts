import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { generate } from 'selfsigned'

const dayMs = 24 * 60 * 60 * 1000

export interface Certificate {
  /** Where clients find what they must trust. */
  file: string
  cert: string
  key: string
}

/** Keeps the pair in the folder while it fits and is good for another day; else makes a new one. */
export async function certificateIn(folder: string): Promise<Certificate> {
  const files = { cert: resolve(folder, 'cert.pem'), key: resolve(folder, 'key.pem') }
  const kept = readPair(files)
  if (kept) return { file: files.cert, ...kept }
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - dayMs),
    notAfterDate: new Date(Date.now() + 800 * dayMs),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(files.key, made.private, { mode: 0o600 })
  writeFileSync(files.cert, made.cert)
  return { file: files.cert, cert: made.cert, key: made.private }
}

function readPair(files: { cert: string; key: string }): { cert: string; key: string } | null {
  if (!existsSync(files.cert) || !existsSync(files.key)) return null
  const cert = readFileSync(files.cert, 'utf8')
  const key = readFileSync(files.key, 'utf8')
  try {
    const parsed = new X509Certificate(cert)
    const good =
      Date.parse(parsed.validTo) > Date.now() + dayMs &&
      parsed.checkHost('localhost') !== undefined &&
      parsed.checkIP('127.0.0.1') !== undefined &&
      parsed.checkPrivateKey(createPrivateKey(key))
    return good ? { cert, key } : null
  } catch {
    // Somebody left something else under these names; a new pair replaces it.
    return null
  }
}
