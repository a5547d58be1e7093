// Tests run as ES modules, compiled by SWC with the same decorator metadata as the build.
// A file's `.js` import specifier is its TypeScript source here.
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Examples of broken rules, for test/architecture/rules.test.ts.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/architecture/fixtures/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/random-seed.ts'],
  showSeed: true,
  // What waits for an event must not fail because the machine is busy with something else.
  testTimeout: 60_000,
  workerIdleMemoryLimit: '1GB',
  // Half of the time is waiting for processes and servers of the tests' own.
  maxWorkers: 2,
};
