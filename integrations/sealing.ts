/** All that is sealed, with one set of keys: personal fields and what the engine stores. */
import type { PayloadCodec } from '@temporalio/common'
import { createVault, type Vault } from './envelope.ts'
import { type KekSettings, keyEncryptionOf } from './key-encryption.ts'
import { createKeyRing, type DataKeyStore } from './key-ring.ts'
import { createPayloadCodec } from './payload-codec.ts'

export interface SealingOptions {
  keyEncryption: KekSettings
  store: DataKeyStore
  temporal: { namespace: string; acceptPlaintext: boolean }
}

export interface Sealing {
  vault: Vault
  payloadCodec: PayloadCodec
  /** Fetches the key that a worker cannot be without. @throws where it cannot be had yet. */
  ready(): Promise<void>
}

export function createSealing({ keyEncryption, store, temporal }: SealingOptions): Sealing {
  const ring = createKeyRing({ keyEncryption: keyEncryptionOf(keyEncryption), store })
  return {
    vault: createVault(ring),
    payloadCodec: createPayloadCodec({ ring, ...temporal }),
    async ready() {
      await ring.take([{ purpose: 'histories', partnerId: null, uses: 1 }])
    },
  }
}
