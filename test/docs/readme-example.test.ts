/** README.md's example compiles as it stands, in a project that `nest new` made. */
import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { Markdown } from '../support/markdown.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Never written: the compiler is given the text below. */
const FILE = join(ROOT, 'example-of-a-user.ts');

const [example = ''] = new Markdown('README.md').code('ts');
/** Against our sources, as they are now. */
const EXAMPLE = example.replaceAll("'nest-cloud-tasks'", "'./src/index.js'");

/** The tsconfig.json of \`nest new\`, but for where it writes. */
const NEST_NEW: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  resolvePackageJsonExports: true,
  esModuleInterop: true,
  isolatedModules: true,
  declaration: true,
  removeComments: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  allowSyntheticDefaultImports: true,
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  skipLibCheck: true,
  strictPropertyInitialization: false,
};

test.each([
  ['strict', { strict: true }],
  ['not strict', { strict: false, strictNullChecks: true }],
])(
  '%s',
  (_, options) => {
    const host = ts.createCompilerHost({ ...NEST_NEW, ...options });
    host.fileExists = (name) => name === FILE || ts.sys.fileExists(name);
    host.readFile = (name) => (name === FILE ? EXAMPLE : ts.sys.readFile(name));
    const program = ts.createProgram([FILE], { ...NEST_NEW, ...options, rootDir: ROOT }, host);
    const source = program.getSourceFile(FILE);
    const problems = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
      ...program.getDeclarationDiagnostics(source),
    ];
    expect(problems.map(({ messageText }) => messageText)).toEqual([]);
    let emitted = '';
    program.emit(source, (name, text) => {
      if (name.endsWith('.js')) emitted = text;
    });
    // Nest's pipes, and its injector, go by these.
    expect(emitted).toContain('__metadata("design:paramtypes", [SendEmail, TaskContext])');
    expect(emitted).toContain('__metadata("design:paramtypes", [Tasks])');
  },
  60_000,
);
