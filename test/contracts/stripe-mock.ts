/** Stripe's own mock server, as `npm run contracts` has built it. */
import { spawn } from 'node:child_process'
import { freePort } from '../../scripts/launch/ports.ts'
import type { Exchange } from './recorder.ts'

declare const stripeMock: string | undefined

export type Asked = Pick<Exchange, 'method' | 'path' | 'query'> & {
  request: { headers: Exchange['request']['headers']; body: Buffer }
}

export interface StripeMock {
  /** The same request, to the mock. */
  ask(asked: Asked): Promise<{ status: number; message: string }>
  stop(): Promise<void>
}

/** @throws Error where no mock was built: the suite is started by `npm run contracts`. */
export async function startStripeMock(): Promise<StripeMock> {
  if (typeof stripeMock !== 'string') throw new Error('start this by `npm run contracts`')
  const port = await freePort()

  const child = spawn(stripeMock, ['-http-addr', `127.0.0.1:${port}`], { stdio: 'ignore' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  await answering(port)
  return {
    async ask({ method, path, query, request }) {
      const search = query.size > 0 ? `?${query}` : ''
      const answer = await fetch(`http://127.0.0.1:${port}${path}${search}`, {
        method,
        headers: {
          Authorization: 'Bearer sk_test_123',
          'Content-Type': 'application/x-www-form-urlencoded',
        },
        ...(method === 'GET' ? {} : { body: request.body }),
      })
      const body = (await answer.json()) as { error?: { message?: string } }
      return { status: answer.status, message: body.error?.message ?? '' }
    },
    async stop() {
      child.kill('SIGTERM')
      await gone
    },
  }
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      await fetch(`http://127.0.0.1:${port}/`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('stripe-mock does not answer')
}
