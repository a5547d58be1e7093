// Unused files, exports and dependencies. `!` marks what also counts in production, so that code
// which only its own test uses is found too (`knip --production`).
export default {
  entry: [
    'src/index.ts!',
    'src/testing/tasks-testbed.ts!',
    'src/main.ts!',
    'src/cli/main.ts!',
    // Started as a thread, by the path of its built file.
    'src/host/engine-worker.ts!',
    // Loaded by name, or started as processes.
    'bench/*.ts',
    'test/support/store-writer.ts',
    'test/support/once-worker.ts',
    // Only compiled: what must not compile is marked as expected.
    'test/modules/tasks/compile-time.ts',
  ],
  project: ['src/**/*.ts!', 'test/**/*.ts', 'bench/**/*.ts', '!test/architecture/fixtures/**'],
  // Runs the test kit's example, in a project made for it.
  ignoreDependencies: ['vitest'],
  // A Debian package; the script that runs it says how to get it.
  ignoreBinaries: ['strace'],
  // A type that its own file uses may be exported to give it a name in the documentation.
  ignoreExportsUsedInFile: true,
};
