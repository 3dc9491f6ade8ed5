import Router from '@koa/router'
import type { Context } from 'koa'
import { type ControlParts, controlProblem } from '../control/app.ts'
import { accountPages } from './accounts.ts'
import { chargePages } from './charges.ts'
import { envelopePages } from './envelopes.ts'
import { hostedInvoicePages } from './hosted-invoice.ts'
import { html } from './html.ts'
import { identityPages } from './identity.ts'
import { invoicePages } from './invoices.ts'
import { sendPage } from './layout.ts'
import { machinePages } from './machine.ts'
import { mailPages } from './mailbox.ts'
import { onboardingPages } from './onboarding.ts'
import { overviewPage } from './overview.ts'
import { type Pages, readForm } from './routes.ts'
import { signingPages } from './signing.ts'
import { transferPages } from './transfers.ts'

export function pagesRouter(parts: ControlParts): Router {
  const router = new Router()
  const pages: Pages = {
    parts,
    get: (path, show) =>
      void router.get(path, (ctx) =>
        guarded(ctx, async () => show(ctx, String(ctx.params.id ?? ''))),
      ),
    post: (path, act) =>
      void router.post(path, (ctx) =>
        guarded(ctx, async () => {
          const to = act(await readForm(ctx), String(ctx.params.id ?? ''))
          ctx.status = 303
          ctx.set('Location', to)
        }),
      ),
  }
  overviewPage(pages)
  envelopePages(pages)
  accountPages(pages)
  invoicePages(pages)
  chargePages(pages)
  transferPages(pages)
  mailPages(pages)
  machinePages(pages)
  signingPages(pages)
  onboardingPages(pages)
  identityPages(pages)
  hostedInvoicePages(pages)
  router.all(/.*/, (ctx) => sendProblem(ctx, 404, `There is no page ${ctx.path}.`))
  return router
}

async function guarded(ctx: Context, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const problem = controlProblem(error)
    if (problem === null) throw error
    sendProblem(ctx, problem.status, problem.message)
  }
}

export function sendProblem(ctx: Context, status: number, message: string): void {
  const body = html`<p>${message}</p><p><a href="/">Back to the overview</a></p>`
  sendPage(ctx, { title: status === 404 ? 'Not found' : 'That did not work', status, body })
}
