import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { NotReady } from '../../scripts/launch/not-ready.ts'
import { cacheRoot, claimProblem, pathsOf } from '../../scripts/launch/paths.ts'
import { type Checkout, makeCheckout } from './checkout.ts'

let checkout: Checkout
beforeEach(() => {
  checkout = makeCheckout({ cacheDir: undefined })
})
afterEach(() => checkout.remove())

describe('cacheRoot', () => {
  it('takes TRIBUTARY_CACHE_DIR before XDG_CACHE_HOME before the home directory', () => {
    const { root, env } = checkout
    const home = join(root, 'home')
    const xdgCacheHome = join(root, 'xdg')
    const cacheDir = join(root, 'own')
    expect(cacheRoot({ ...env, home, xdgCacheHome, cacheDir })).toBe(join(cacheDir, 'tributary'))
    expect(cacheRoot({ ...env, home, xdgCacheHome })).toBe(join(xdgCacheHome, 'tributary'))
    expect(cacheRoot({ ...env, home })).toBe(join(home, '.cache', 'tributary'))
  })

  it('falls back to /var/tmp without a usable home', () => {
    const fallback = /^\/var\/tmp\/tributary(-\d+)?$/
    expect(cacheRoot({ ...checkout.env, home: undefined })).toMatch(fallback)
    expect(cacheRoot({ ...checkout.env, home: '/dev/null' })).toMatch(fallback)
  })

  it('refuses an unusable TRIBUTARY_CACHE_DIR instead of taking another place', () => {
    expect(() => cacheRoot({ ...checkout.env, cacheDir: '/dev/null' })).toThrow(NotReady)
  })
})

describe('a place for programs', () => {
  it('is not trusted when everybody may write to it, also through a link', () => {
    const open = join(checkout.root, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    const link = join(checkout.root, 'link')
    symlinkSync(open, link)
    expect(claimProblem(open)).toMatch(/writable for everybody/)
    expect(claimProblem(link)).toMatch(/writable for everybody/)
  })
})

describe('pathsOf', () => {
  it('gives the same checkout the same name, whichever way leads to it', () => {
    const link = `${checkout.root}-link`
    symlinkSync(checkout.root, link)
    const { hash } = pathsOf(checkout.env)
    expect(hash).toMatch(/^[0-9a-f]{10}$/)
    expect(pathsOf({ ...checkout.env, root: link }).hash).toBe(hash)
    rmSync(link)
    expect(pathsOf({ ...checkout.env, root: undefined }).hash).not.toBe(hash)
  })
})
