// Node 24 loads ES modules through require, but jest does not: the few packages that ship
// only ES modules are compiled on the way in, everything else is taken as it is.
const esmOnly = ['jose', 'kysely', 'oauth4webapi', 'openid-client', 'postal-mime', 'selfsigned']

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Heavy, and of no use while neither side changes: `npm run contracts`.
  testPathIgnorePatterns: ['/node_modules/', '/test/contracts/'],
  transform: {
    '\\.[cm]?[jt]s$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  maxWorkers: 2,
  // Long: patience costs nothing where nothing is wrong, and the machine may be busy.
  testTimeout: 180_000,
}
