// The rings of the architecture, as rules on imports. `comment` says why a rule is there.
// Each rule must have a failing example in test/architecture/fixtures, or the tests fail.

/** From the bottom up: a module may import those of the floors below its own. */
const FLOORS = [
  ['cloud-tasks'],
  ['auth', 'outbound'],
  ['journal', 'payloads'],
  ['dead-letters'],
  ['tasks'],
  ['producer'],
  ['health', 'relay', 'schedules', 'jobs', 'dashboard'],
];
/** Those that may open something of the host's: the backend, the journal, payloads, mail and data. */
const OPENERS = '^src/modules/(cloud-tasks|journal|payloads|jobs)/';

const MODULES = FLOORS.flat().join('|');
/** The app around the library: put together and started here, of no use to anybody else. */
const APP = '^src/(app\\.module\\.ts$|app/)';
/** What reads the environment and judges it. */
const SETTINGS = '^src/(config\\.ts$|settings/)';
/** What belongs to no ring: any but the engine may stand on it. */
const PLAIN = '^src/foundation/';
/** What both sides of CloudTasksApi must agree on, whichever backend is behind it. */
const SHARED_WORDS = '^src/engine/(dispatch-signature|errors|resource-name|task-size|time)\\.ts$';
const NEST =
  '(^|/)node_modules/(@nestjs/|reflect-metadata/|rxjs/|class-validator/|class-transformer/)';

const rings = [
  {
    name: 'engine-imports-only-itself',
    comment:
      'The engine is what Cloud Tasks means, and nothing else: without packages, node and Nest it runs on a virtual clock and is tested to the microsecond. What it needs from outside comes in through engine/ports.ts.',
    from: { path: '^src/engine/' },
    to: { pathNot: '^src/engine/' },
  },
  {
    name: 'only-modules-and-entries-know-nest',
    comment:
      'Adapters, host and outbound also serve the command line and the worker thread, where there is no Nest; loading it there would cost start-up time and tie the engine to a framework version.',
    from: { path: '^src/(adapters|host|outbound)/' },
    to: { path: NEST },
  },
  {
    name: 'adapters-know-only-the-engine',
    comment:
      'An adapter turns one outside thing into one port of the engine. If it knew who uses it, it could not be replaced alone.',
    from: { path: '^src/adapters/' },
    to: { path: '^src/', pathNot: ['^src/(adapters|engine)/', PLAIN] },
  },
  {
    name: 'adapters-do-not-know-each-other',
    comment:
      'Each adapter can be replaced, left out or tested alone; what two of them share is the wire format, and host/ is where they meet. Files whose names begin with the same word (sqlite-store, sqlite-schema) are one adapter.',
    from: { path: '^src/adapters/([^-./]+)' },
    to: {
      path: '^src/adapters/',
      pathNot: ['^src/adapters/wire[-.]', '^src/adapters/$1[-./]'],
    },
  },
  {
    name: 'google-is-loaded-only-when-used',
    comment:
      "Google's client adds more than half a second to a start, which nobody should pay who runs the embedded engine: import() it when the backend is chosen. (Its protos belong to the gRPC server, which is loaded at the first connection.)",
    from: { path: '^src/' },
    to: {
      path: '(^|/)node_modules/(@google-cloud/|google-auth-library/|google-gax/)',
      pathNot: '/@google-cloud/(tasks|scheduler)/build/protos/',
      dynamic: false,
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: 'host-knows-only-engine-and-adapters',
    comment:
      'The host puts the engine together for the app, the command line and the tests alike, so it can belong to none of them.',
    from: { path: '^src/host/' },
    to: { path: '^src/', pathNot: ['^src/(host|engine|adapters)/', PLAIN] },
  },
  {
    name: 'outbound-knows-no-other-ring',
    comment:
      'Which URL may be called, and by which connection, is read and tested as one small thing. If it knew who calls, each caller could get an exception of its own.',
    from: { path: '^src/outbound/' },
    to: { path: '^src/', pathNot: ['^src/(outbound|engine)/', PLAIN] },
  },
  {
    name: 'outbound-knows-the-engine-by-its-types',
    comment:
      'Calls go out where no engine runs, too. Of it they need the clock, as a type, and as values the words that all share: errors and units of time.',
    from: { path: '^src/outbound/' },
    to: { path: '^src/engine/', pathNot: SHARED_WORDS, dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'modules-call-out-through-outbound',
    comment:
      'A module that had an HTTP client of its own would be a way around the rules for URLs, addresses and headers: ask OutboundPolicy, and call with OutboundClient.',
    from: { path: '^src/modules/' },
    to: { path: '(^|/)node_modules/(undici|axios|got|node-fetch)/' },
  },
  {
    name: 'modules-do-not-know-adapters',
    comment:
      'A module speaks CloudTasksApi. That it is SQLite or gRPC behind it must never show, or the same code would not run on Google Cloud Tasks.',
    from: { path: '^src/modules/' },
    to: { path: '^src/adapters/' },
  },
  {
    name: 'only-the-cloud-tasks-module-starts-an-engine',
    comment:
      'One place decides between the embedded engine and Google, and owns start and drain. A second place would start a second engine on the same data.',
    from: { path: '^src/modules/', pathNot: '^src/modules/cloud-tasks/' },
    to: { path: '^src/host/(start|local|worker|running)-engine\\.ts$' },
  },
  {
    name: 'modules-open-stores-in-one-place',
    comment:
      'What reaches a disk or a network is opened by the host, and asked for in one place each: the backend, the journal, the payload store, mail and data of the jobs. A second place would open it twice, with other options.',
    from: { path: '^src/modules/', pathNot: OPENERS },
    to: { path: '^src/host/', pathNot: '^src/host/(start|local|worker|running)-engine\\.ts$' },
  },
  {
    name: 'modules-know-the-engine-by-its-types',
    comment:
      'With Google as the backend no engine runs, so a module may use its types, and as values only what both sides must agree on: errors, names, units of time, the signature of a dispatch.',
    from: { path: '^src/modules/' },
    to: { path: '^src/engine/', pathNot: SHARED_WORDS, dependencyTypesNot: ['type-only'] },
  },
];

const modules = [
  {
    name: 'every-module-has-a-floor',
    comment:
      'The order of the modules is what keeps them free of cycles. A new one gets its place in FLOORS, in .dependency-cruiser.js, before anything is built on it.',
    from: { path: '^src/modules/', pathNot: `^src/modules/(${MODULES})/` },
    to: {},
  },
  ...FLOORS.map((floor, index) => {
    const below = FLOORS.slice(0, index).flat();
    return {
      name: `modules-import-downwards-${floor[0]}`,
      comment: `${floor.join(', ')}: may import ${below.join(', ') || 'no other module'}. Imports go one way only, so a module can be read, tested and left out with what is below it.`,
      from: { path: `^src/modules/(${floor.join('|')})/` },
      to: {
        path: '^src/modules/',
        pathNot: [`^src/modules/$1/`, ...below.map((name) => `^src/modules/${name}/`)],
      },
    };
  }),
  {
    name: 'modules-do-not-read-settings',
    comment:
      'Options go in by forRoot, from whoever owns the app. A module that read the environment or ConfigService could not be used twice, nor in an app with other names for its settings.',
    from: { path: '^src/modules/' },
    to: { path: [SETTINGS, '(^|/)node_modules/@nestjs/config/'] },
  },
];

const entries = [
  {
    name: 'only-the-app-reads-config',
    comment:
      'The environment is the business of the app that is deployed, not of the library: only main, app.module and cli turn settings into options.',
    from: {
      path: '^src/',
      pathNot: [SETTINGS, APP, '^src/main\\.ts$', '^src/(cli|modules)/'],
    },
    to: { path: SETTINGS },
  },
  {
    name: 'config-imports-nothing-of-ours',
    comment:
      'Settings are read before anything else exists; to mend one, nothing else should have to be read.',
    from: { path: SETTINGS },
    to: { path: '^src/', pathNot: [SETTINGS, PLAIN] },
  },
  {
    name: 'the-foundation-knows-no-ring',
    comment:
      "The foundation may be used by every ring but the engine, which is sound only while it knows none of them: just itself, and the engine's words.",
    from: { path: PLAIN },
    to: { path: '^src/', pathNot: [PLAIN, SHARED_WORDS] },
  },
  {
    name: 'main-is-imported-by-nobody',
    comment: 'It is a process: importing it would start the app.',
    from: { path: '^src/' },
    to: { path: '^src/main\\.ts$' },
  },
  {
    name: 'the-app-is-imported-by-entries-only',
    comment:
      'The deployable app is one user of the library among others: if anything in the library knew it, the whole app would come along with an import.',
    from: { path: '^src/', pathNot: [APP, '^src/main\\.ts$', '^src/cli/'] },
    to: { path: APP },
  },
  {
    name: 'cli-is-imported-by-nobody',
    comment:
      'Commands parse arguments, print and set exit codes. What is worth reusing in one belongs into the ring that it is about.',
    from: { path: '^src/', pathNot: '^src/cli/' },
    to: { path: '^src/cli/' },
  },
  {
    name: 'the-public-api-is-imported-by-nobody',
    comment:
      'index.ts is the list of what users may see. Our own code imports a thing where it is made; through the list everything would depend on everything.',
    from: { path: '^src/' },
    to: { path: '^src/index\\.ts$' },
  },
  {
    name: 'the-test-kit-is-imported-by-nobody',
    comment:
      'nest-cloud-tasks/testing is an entry of the package: loaded by the tests of its users, never with their app.',
    from: { path: '^src/', pathNot: '^src/testing/' },
    to: { path: '^src/testing/' },
  },
  {
    name: 'the-test-kit-is-a-host-of-its-own',
    comment:
      "It puts an engine together as the host does, and into a user's app as the modules do. Of the host it knows how a running engine looks, not how one is started, which would bring disks and ports along.",
    from: { path: '^src/testing/' },
    to: {
      path: '^src/',
      pathNot: ['^src/(testing|engine|adapters|modules)/', '^src/host/running-engine\\.ts$', PLAIN],
    },
  },
];

const everywhere = [
  {
    name: 'no-cycles',
    comment:
      'Files that import each other are one file in several places: none can be understood, tested or loaded alone, and which one runs first depends on who asks.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'src-does-not-know-its-tests',
    comment: 'What is published must not need what is not: test/ and bench/ stay behind.',
    from: { path: '^src/' },
    to: { path: '^(test|bench)/' },
  },
  {
    name: 'src-needs-only-runtime-dependencies',
    comment:
      'A development dependency is not installed with the package, so the import would fail at the user only. (Types are erased, they may come from anywhere. An optional peer is one that we develop with, and that whoever uses it installs.)',
    from: { path: '^src/' },
    to: {
      dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
      dependencyTypesNot: ['type-only', 'npm-peer'],
    },
  },
  {
    name: 'every-import-resolves',
    comment: 'A rule can only judge an import whose target it sees.',
    from: {},
    to: { couldNotResolve: true },
  },
];

export default {
  forbidden: [...rings, ...modules, ...entries, ...everywhere].map((rule) => ({
    severity: 'error',
    ...rule,
  })),
  options: {
    // Types count as much as values: who knows a type depends on its meaning.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    detectProcessBuiltinModuleCalls: true,
    doNotFollow: { path: '(^|/)node_modules/' },
    exclude: { path: '^test/architecture/fixtures/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
