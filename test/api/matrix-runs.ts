/** What is decided about settlement runs, as lines of the matrix. */
import type { Line } from './matrix-routes.ts'

const about = 'settlementRun'
const reason = 'for the matrix'
const runs = '/v1/settlement-runs/:id'
const body = () => ({ reason })
const ofPartner: Line['body'] = (_, { parent }) => ({ partner: parent, reason })

export const ofRuns: Record<string, Line> = {
  [`POST ${runs}/holds`]: { about, body: ofPartner },
  [`GET ${runs}/holds`]: { about },
  [`GET ${runs}/events`]: { about },
  [`GET ${runs}/diff`]: { about },
  [`GET ${runs}/exceptions`]: { about },
  [`POST ${runs}/holds/:hold/release`]: { about, body, inside: true },
  [`POST ${runs}/exclusions`]: { about, body: ofPartner },
  [`POST ${runs}/partners/:partner/rerun`]: { about, inside: true },
  [`POST ${runs}/reject`]: { about, body },
  [`POST ${runs}/pause`]: { about, body },
  [`POST ${runs}/cancel`]: { about, body },
  [`POST ${runs}/resume`]: { about },
  [`POST ${runs}/rerun`]: { about },
}
