/** What a single setting may look like. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

export const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('0')
  .transform((value) => value === '1' || value === 'true')

export const listed = (value: string) => value.split(',').map((secret) => secret.trim())

/** What stands in examples; whoever copies one has no secret. */
const isExample = (value: string) =>
  /change-?_?me|placeholder|example|default|your[-_]|<.*>/i.test(value) || new Set(value).size < 4

export const secret = (least: number) =>
  z
    .string()
    .min(least, `needs at least ${least} characters`)
    .refine((value) => !isExample(value), 'is an example: make one of your own')

/** Several secrets separated by commas are all accepted, so that one can be rotated. */
export const secretList = z
  .string()
  .transform(listed)
  .pipe(z.array(z.string().min(8, 'each secret needs at least 8 characters')).min(1))
  .refine((secrets) => !secrets.some((one) => one !== '' && isExample(one)), {
    error: 'has an example in it: make one of your own',
  })

/** The value is not repeated: where somebody gave the key instead of its file, it is a secret. */
export const readableFile = z.string().transform((path, context) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    context.addIssue({ code: 'custom', message: 'is not the path of a file that can be read' })
    return z.NEVER
  }
})

/** `localhost:4400` alone is a URL too, of the scheme `localhost`. */
export const webAddress = z.url({ protocol: /^https?$/, error: 'expected http://… or https://…' })
