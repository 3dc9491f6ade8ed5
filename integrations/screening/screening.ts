/** Screening behind one interface: a list file of the operator, a service, or nothing. */
import { listFileScreening } from './list-file.ts'
import type { Screening } from './provider.ts'
import { watchmanScreening } from './watchman.ts'

export interface ScreeningSettings {
  listFile?: string | undefined
  url?: string | undefined
}

/** @throws Error that names the line, for a list file that cannot be read at the start. */
export function createScreening({ listFile, url }: ScreeningSettings): Screening {
  if (listFile) return listFileScreening(listFile)
  return url ? watchmanScreening(url) : nothingScreened
}

/** Without lists, a person looks at every application. */
const nothingScreened: Screening = {
  provider: 'none',
  screen: async () => ({ provider: 'none', list: 'none', listVersion: 'none', hits: [] }),
  listVersion: async () => 'none',
}
