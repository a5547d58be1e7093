// The rules of the architecture that are not about imports (those are in .dependency-cruiser.js).
// A message says why. Each rule, and each name that one lists, must have a failing example in
// test/architecture/fixtures, or the tests fail.

const plugin = {
  rules: {
    'file-says-its-purpose': rule((context) => ({
      Program(program) {
        const comments = context.sourceCode.getAllComments();
        const first = comments.find((comment) => comment.type !== 'Shebang');
        const firstToken = context.sourceCode.getFirstToken(program);
        const opens = first !== undefined && (!firstToken || first.range[0] < firstToken.range[0]);
        if (!opens || first.type !== 'Block' || !first.value.startsWith('*')) {
          context.report({
            loc: { line: 1, column: 0 },
            message:
              'Open the file with a /** comment */ of one sentence: what it is responsible for. If that takes an "and", it is two files.',
          });
        }
      },
    })),

    'file-name-says-what-is-in-it': forbid(
      'A file is named after what it is about. Anything can be called utils, common, helpers, types, interfaces or constants, so anything ends up there.',
      'Program',
    ),

    'no-barrels': forbid(
      'Import a thing from where it is made. Only src/index.ts lists things again, by hand, since that list is the public API.',
      'Program',
    ),

    'no-export-all': forbid(
      'Name what is exported: with * nobody sees what becomes public.',
      'ExportAllDeclaration',
    ),

    'no-partial-test-run': forbid(
      'A test that is left out proves nothing, and one that runs alone leaves out all others. Mend it or remove it.',
      'MemberExpression[property.name=/^(only|skip|todo)$/][object.name=/^(test|it|describe)$/]',
      'MemberExpression[property.name=/^(only|skip|todo)$/][object.object.name=/^(test|it|describe)$/]',
      'CallExpression[callee.name=/^[fx](test|it|describe)$/]',
    ),

    'disabling-says-why': rule((context) => ({
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (/^\s*eslint-disable/.test(comment.value) && !/ -- \S/.test(comment.value)) {
            context.report({
              loc: { line: comment.loc.start.line - 1 || 1, column: 0 },
              message:
                'Say after " -- " why the rule is wrong here, so that the next reader needn\'t guess whether it still is.',
            });
          }
        }
      },
    })),
  },
};

/** Reports every node that one of the selectors finds. */
function forbid(reason, ...selectors) {
  return rule((context) => {
    const report = (node) => {
      context.report({
        loc: node.type === 'Program' ? { line: 1, column: 0 } : node.loc,
        message: reason,
      });
    };
    return Object.fromEntries(selectors.map((selector) => [selector, report]));
  });
}

function rule(create) {
  return { meta: { type: 'problem', schema: [] }, create };
}

const CLOCK =
  "The engine's only time is its Clock (engine/ports.ts); with another one it could not run on a virtual clock.";
const CHANCE = "Chance comes in as Random (engine/ports.ts), so that a test's seed decides it.";
const OUTSIDE =
  'The engine is pure: what it needs from outside is a port (engine/ports.ts), carried out by an adapter.';
const GLOBAL_OBJECT = 'The engine names what it uses, so that these rules can see it.';

const FETCH =
  'Calls go out through a Pool or Agent of undici: several times as many a second, and their limits and deadlines are ours to set.';

const OUTBOUND =
  'A call to somebody else is permitted by OutboundPolicy and made by OutboundClient, which judges addresses, headers and redirects. (What the operator names, as an issuer of tokens, modules/auth may ask by itself.)';

const PROCESS = 'Process is there without an import, and only so do the rules on it see its use.';

const ENGINE_GLOBALS = {
  Date: CLOCK,
  performance: CLOCK,
  setTimeout: CLOCK,
  setInterval: CLOCK,
  setImmediate: CLOCK,
  queueMicrotask: "Await a promise: an order that hangs on microtasks can't be read off the code.",
  crypto: CHANCE,
  process: OUTSIDE,
  console: 'Tell EngineEvents (engine/ports.ts); who listens decides what becomes a log line.',
  fetch: OUTSIDE,
  WebSocket: OUTSIDE,
  Buffer: 'Bytes are Uint8Array, which every runtime has and which crosses a thread unchanged.',
  require: OUTSIDE,
  globalThis: GLOBAL_OBJECT,
  global: GLOBAL_OBJECT,
};

const SLEEP =
  'A test never waits for time to pass: it would be slow, and fail on a busy machine. Advance the virtual clock (test/support/virtual-clock.ts), or await the event itself.';

const VAGUE =
  '{util,utils,common,helper,helpers,type,types,interface,interfaces,constant,constants,misc,shared}';

/** As ESLint's options want it: a list of `{ name, message }`. */
function restrict(reasons) {
  return Object.entries(reasons).map(([name, message]) => ({ name, message }));
}

export default [
  {
    plugins: { architecture: plugin },
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'architecture/no-export-all': 'error',
      'architecture/disabling-says-why': 'error',
    },
  },
  {
    files: [
      `{src,test,bench}/**/${VAGUE}.ts`,
      `{src,test,bench}/**/*{-,_,.}${VAGUE}.ts`,
      `{src,test,bench}/**/${VAGUE}/**`,
    ],
    rules: { 'architecture/file-name-says-what-is-in-it': 'error' },
  },
  {
    files: ['{src,test,bench}/**/index.ts'],
    ignores: ['src/index.ts'],
    rules: { 'architecture/no-barrels': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'architecture/file-says-its-purpose': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config.ts', 'src/cli/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message:
            'Only src/config.ts (and the command line) reads the environment; everything else is given options, so that it can be used twice and tested without touching the process.',
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: restrict({ 'node:process': PROCESS, process: PROCESS }),
        },
      ],
    },
  },
  {
    files: ['src/adapters/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { globals: restrict({ fetch: FETCH }), checkGlobalObject: true },
      ],
    },
  },
  {
    files: ['src/outbound/**/*.ts', 'src/modules/**/*.ts'],
    ignores: ['src/modules/auth/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        { globals: restrict({ fetch: OUTBOUND }), checkGlobalObject: true },
      ],
    },
  },
  {
    files: ['src/engine/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { globals: restrict(ENGINE_GLOBALS), checkGlobalObject: true },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: CHANCE },
        { object: 'AbortSignal', property: 'timeout', message: CLOCK },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'architecture/no-partial-test-run': 'error',
      'no-restricted-globals': [
        'error',
        { globals: restrict({ setTimeout: SLEEP, setInterval: SLEEP }), checkGlobalObject: true },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Atomics', property: 'wait', message: SLEEP },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: restrict({
            'node:timers': SLEEP,
            timers: SLEEP,
            'node:timers/promises': SLEEP,
            'timers/promises': SLEEP,
          }),
        },
      ],
    },
  },
];
