/** Mails that go out once, however often the step that sends them is repeated. */
import { inTransaction } from '../db/database.ts'
import { markNoticeRefused, markNoticeSent, type Notice, recordNotice } from '../db/inbox.ts'
import { findMailDress } from '../db/mail-templates.ts'
import { findBrandingOf } from '../db/tenant-branding.ts'
import type { Brand, MailContent } from '../integrations/email-templates/index.ts'
import { dressedAs, inOwnWords, plainBrand } from '../integrations/email-templates/layout.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'

/** A notice, and the partner in whose name it goes out; the platform's where there is none. */
export type SignedNotice = Notice & { inNameOf?: string | null }

/** Claims the notice, sends it, and notes that it is sent; a claimed mail keeps its Message-ID. */
export async function notify(
  { db, mailer }: Pick<ActivityDeps, 'db' | 'mailer'>,
  { inNameOf = null, ...notice }: SignedNotice,
  content: MailContent,
): Promise<void> {
  const { claimed, brand, dressed } = await inTransaction(db, async (trx) => {
    const [claim, clothes] = await Promise.all([
      recordNotice(trx, notice),
      dress({ db: trx }, content, inNameOf),
    ])
    return { claimed: claim, ...clothes }
  })
  if (claimed.sent) return
  await mailer.send({
    id: claimed.id,
    kind: notice.kind,
    to: claimed.recipient,
    content: dressed,
    brand,
  })
  await markNoticeSent(db, claimed.id)
}

/**
 * The same for one mail of many: where its mailbox refuses it for good that is noted, and the lists
 * of what is to be told pass it over. Any other failure is thrown.
 */
export async function notifyOrPass(
  deps: Pick<ActivityDeps, 'db' | 'mailer'>,
  notice: SignedNotice,
  content: MailContent,
): Promise<void> {
  try {
    await notify(deps, notice, content)
  } catch (error) {
    if (!(error instanceof VendorError) || error.failure !== 'rejected') throw error
    await markNoticeRefused(deps.db, notice)
  }
}

/**
 * The words and the looks of the one in whose name a mail goes out: the tenant's own looks where
 * the partner has a tenant, else those of the programme.
 */
async function dress(
  { db }: Pick<ActivityDeps, 'db'>,
  content: MailContent,
  partnerId: string | null,
): Promise<{ dressed: MailContent; brand: Brand }> {
  const [found, branding] = await Promise.all([
    findMailDress(db, { partnerId, template: content.template ?? null }),
    partnerId ? findBrandingOf(db, partnerId) : undefined,
  ])
  const { brand = plainBrand, words } = found ?? {}
  return {
    dressed: words ? inOwnWords(content, words) : content,
    brand: dressedAs(brand, branding),
  }
}
