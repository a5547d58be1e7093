/** The compiler refuses exactly the lines of the fixture that are marked, each for its reason. */
import { expect, test } from '@jest/globals';
import { resolve } from 'node:path';
import ts from 'typescript';

const FIXTURE = resolve('test/modules/tasks/compile-time.ts');
const MARK = '@ts-expect-error';

/** What the compiler may say of an argument, a property or an assignment that doesn't fit. */
const MISFIT = new Set([
  2322, // is not assignable
  2339, // no such property
  2345, // argument is not assignable
  2353, // unknown property of a literal
  2540, // read-only
  2554, // number of arguments
  2555, // at least so many arguments
  2561, // unknown property, did you mean
  2769, // no overload matches
]);

test('wrong, missing and extra arguments and options do not compile', () => {
  const { options } = ts.getParsedCommandLineOfConfigFile(
    'tsconfig.json',
    { noEmit: true, incremental: false },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  ) ?? { options: {} };
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  // Without the marks, so that the compiler tells what it would else keep to itself.
  host.readFile = (name) =>
    resolve(name) === FIXTURE ? readFile(name)?.replaceAll(MARK, 'expected:') : readFile(name);
  const program = ts.createProgram([FIXTURE], options, host);
  const source = program.getSourceFile(FIXTURE);
  const found = program.getSemanticDiagnostics(source).map(({ start = 0, code, messageText }) => ({
    line: source?.getLineAndCharacterOfPosition(start).line,
    code,
    text: ts.flattenDiagnosticMessageText(messageText, ' '),
  }));

  const lines = readFile(FIXTURE)?.split('\n') ?? [];
  const expected = lines.flatMap((text, line) => (text.includes(MARK) ? [line + 1] : []));
  expect(expected.length).toBeGreaterThan(20);
  expect([...new Set(found.map(({ line }) => line))]).toEqual(expected);
  expect(found.filter(({ code }) => !MISFIT.has(code))).toEqual([]);
});
