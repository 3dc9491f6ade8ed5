/** Passwords, stretched by Argon2id with the parameters that OWASP names: about 20 ms each. */
import { hash, verify } from '@node-rs/argon2'

// The library's name for it is a const enum, which type stripping cannot read.
const argon2id = 2
const parameters = { algorithm: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** The same words typed on another system are the same password. */
const normal = (password: string) => password.normalize('NFKC')

/** @returns the hash with its parameters and its salt, as text. */
export function hashPassword(password: string): Promise<string> {
  return hash(normal(password), parameters)
}

let nobody: Promise<string> | undefined

/**
 * Whether it is the password behind the hash. Without a hash it costs the same work, so that the
 * time of an answer does not tell whom we know.
 */
export async function isPassword(stored: string | null, password: string): Promise<boolean> {
  nobody ??= hashPassword('nobody has this password')
  const right = await verify(stored ?? (await nobody), normal(password))
  return right && stored !== null
}
