import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tryLock } from '../../scripts/launch/lock.ts'
import { NotReady } from '../../scripts/launch/not-ready.ts'
import { runningSupervisor, takeSupervisorLock } from '../../scripts/launch/supervisor-lock.ts'
import { type Checkout, makeCheckout, program } from './checkout.ts'

const run = promisify(execFile)
const deadOwner = JSON.stringify({ pid: 4_194_000, startTime: '1', what: 'gone', since: '' })

let checkout: Checkout
beforeEach(() => {
  checkout = makeCheckout()
})
afterEach(() => checkout.remove())

describe('withLock', () => {
  it('lets processes that race for a dead owner’s lock in one at a time', async () => {
    const lock = join(checkout.root, 'a.lock')
    const counter = join(checkout.root, 'counter')
    writeFileSync(lock, deadOwner)
    writeFileSync(counter, '0')
    const source = program(
      checkout,
      'race.ts',
      `import { readFileSync, writeFileSync } from 'node:fs'
       import { setTimeout as delay } from 'node:timers/promises'
       import { withLock } from 'LAUNCH/lock.ts'
       const [lock = '', counter = ''] = process.argv.slice(2)
       for (let turn = 0; turn < 3; turn += 1) {
         await withLock(lock, { what: 'counting', timeoutMs: 90_000 }, async () => {
           const seen = Number(readFileSync(counter, 'utf8'))
           await delay(5)
           writeFileSync(counter, String(seen + 1))
         })
       }`,
    )
    await Promise.all([1, 2, 3].map(() => run(process.execPath, [source, lock, counter])))
    expect(readFileSync(counter, 'utf8')).toBe('9')
  })
})

describe('tryLock', () => {
  it('names the living owner and what it does', () => {
    const file = join(checkout.root, 'b.lock')
    const first = tryLock(file, 'building')
    const second = tryLock(file, 'building too')
    expect('owner' in second && second.owner).toMatchObject({ pid: process.pid, what: 'building' })
    if ('lock' in first) first.lock.release()
    expect('lock' in tryLock(file, 'now me')).toBe(true)
  })

  it('takes over from a process whose number another program has now', () => {
    const file = join(checkout.root, 'c.lock')
    writeFileSync(file, JSON.stringify({ pid: process.pid, startTime: '1', what: '', since: '' }))
    expect('lock' in tryLock(file, 'now me')).toBe(true)
  })

  it('takes over from an owner that was cut off while writing', () => {
    const file = join(checkout.root, 'd.lock')
    writeFileSync(file, '{"pid":')
    expect('lock' in tryLock(file, 'now me')).toBe(true)
  })
})

describe('the supervisor lock', () => {
  it('tells a second supervisor what runs, with exit code 3', () => {
    const lock = takeSupervisorLock(checkout.env, 'npm run dev')
    const second = () => takeSupervisorLock(checkout.env, 'npm run dev')
    expect(second).toThrow(NotReady)
    expect(second).toThrow(`"npm run dev" already runs in this checkout: process ${process.pid}`)
    expect(runningSupervisor(checkout.env)?.pid).toBe(process.pid)
    lock.release()
    expect(runningSupervisor(checkout.env)).toBeUndefined()
    takeSupervisorLock(checkout.env, 'npm run dev').release()
  })
})
