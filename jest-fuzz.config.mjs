// The requests of the fuzzer and its comparison of times: `npm run fuzz` says how many.
import config from './jest.config.mjs'

export default {
  ...config,
  testMatch: ['**/test/api/fuzz.test.ts', '**/test/api/fuzz-timing.ts'],
  maxWorkers: 1,
  testTimeout: 3_600_000,
}
