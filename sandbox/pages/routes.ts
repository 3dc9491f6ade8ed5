import type { Context } from 'koa'
import type { ControlParts } from '../control/app.ts'
import { readBody } from '../http.ts'

/** A form's fields; empty ones are left out. */
export type Form = Record<string, string | undefined>

export interface Pages {
  parts: ControlParts
  get(path: string, show: (ctx: Context, id: string) => void | Promise<void>): void
  /** Answers where the browser goes afterwards. */
  post(path: string, act: (form: Form, id: string) => string): void
}

/** A form's amount in minor units; nothing means all of it. */
export function amountIn(form: Form): number | undefined {
  return form.amount === undefined ? undefined : Number(form.amount)
}

export async function readForm(ctx: Context): Promise<Form> {
  const text = (await readBody(ctx, 100_000)).toString('utf8')
  const pairs = [...new URLSearchParams(text)].filter(([, value]) => value.trim() !== '')
  return Object.fromEntries(pairs)
}
