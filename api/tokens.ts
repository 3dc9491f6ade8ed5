import { createHash } from 'node:crypto'

/** Of a secret that somebody carries, all that is stored: it has too much chance in it to guess. */
export const hashToken = (secret: string) => createHash('sha256').update(secret).digest()
